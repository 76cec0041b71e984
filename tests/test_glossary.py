"""The glossary and the chapters hold to one another: a term is explained where it first stands, and found here."""

import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
GLOSSARY = (NOTEBOOKS / "glossary.md").read_text()
ENTRY = re.compile(r"^### (.+)\n\n((?:.+\n)+)", re.M)


def anchor(heading: str) -> str:
    """The name under which a heading can be linked to, as GitHub and JupyterLab make it."""
    return heading.lower().replace(" ", "-")


def entries() -> dict[str, str]:
    return dict(ENTRY.findall(GLOSSARY))


def first_links() -> dict[str, str]:
    """For each term that a chapter links to, the first chapter that does."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for name in re.findall(r"\]\(glossary\.md#([^)]+)\)", cell.source):
                    found.setdefault(name, path.stem)
    return found


def test_every_term_that_a_chapter_links_to_is_there():
    assert set(first_links()) - {anchor(term) for term in entries()} == set()


def test_every_entry_names_the_chapter_that_first_explains_it():
    links = first_links()
    for term, text in entries().items():
        chapter = re.search(r"\(Chapter\s+\[(\d\d)\]\((\w+)\.ipynb\)\.\)\n$", text)
        assert chapter, f"{term} does not end with its chapter"
        assert links.get(anchor(term)) == chapter[2], f"{term}: first linked to from {links.get(anchor(term))}"


def test_the_terms_stand_in_alphabetical_order_and_once():
    terms = [term.lower() for term in re.findall(r"^### (.+)", GLOSSARY, re.M)]
    assert terms == sorted(set(terms))
    assert len(terms) == len(entries()) >= 100


def test_an_anchor_can_be_written_in_a_link():
    for term in entries():
        assert re.fullmatch(r"[a-z0-9-]+", anchor(term)), term
