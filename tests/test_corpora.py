import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanogpt.corpora import open_corpus


def texts(source, **options) -> list[str]:
    return [document.text for document in open_corpus(str(source), **options)]


def test_pydocs_is_real_text_and_has_no_doubles():
    documents = texts("pydocs")
    assert len(documents) > 300
    assert sum(map(len, documents)) > 1_500_000
    assert len(set(documents)) == len(documents)
    assert any(d.startswith("module bisect\n") and "insort_right(a, x, lo=0" in d for d in documents)
    assert all(d == d.strip() + "\n" and "\t\n" not in d for d in documents[:50])


def read_pydocs_elsewhere(then: str, hash_seed: str = "0") -> str:
    code = f"import hashlib, sys; from nanogpt.corpora import pydocs; text = ''.join(d.text for d in pydocs()); {then}"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_pydocs_is_the_same_in_another_process():
    digest = "print(hashlib.sha256(text.encode()).hexdigest())"
    assert read_pydocs_elsewhere(digest, "1") == read_pydocs_elsewhere(digest, "2")


def test_pydocs_imports_nothing_that_it_reads():
    assert read_pydocs_elsewhere("print('turtle' in text, 'turtle' in sys.modules)") == "True False\n"


def test_a_corpus_can_be_read_again():
    corpus = open_corpus("stories", limit=5)
    assert list(corpus) == list(corpus)
    assert all(document.log_prob < 0 for document in corpus)


def test_a_limit_keeps_the_first_documents():
    assert texts("pydocs", limit=3) == texts("pydocs", limit=10)[:3]
    with pytest.raises(ValueError, match="limit=0 leaves no documents"):
        open_corpus("pydocs", limit=0)


def test_each_of_several_text_files_is_a_document(tmp_path):
    (tmp_path / "b.txt").write_text("second\n\nfile", encoding="utf-8")
    (tmp_path / "a.txt").write_text("first näïve 日本", encoding="utf-8")
    assert texts(tmp_path) == ["first näïve 日本", "second\n\nfile"]


def test_a_lone_text_file_is_cut_at_blank_lines(tmp_path):
    paragraphs = [f"Paragraph {i}. " + "word " * 100 for i in range(20)]
    (tmp_path / "book.txt").write_text("\n\n".join(paragraphs))
    documents = texts(tmp_path / "book.txt")
    assert len(documents) > 3
    assert "".join(documents).split() == " ".join(paragraphs).split()


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_row_is_a_document(kind, tmp_path):
    rows = [{"body": "one", "id": 1}, {"body": "two\nlines", "id": 2}]
    path = tmp_path / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    assert texts(path, text_field="body") == ["one", "two\nlines"]
    with pytest.raises(ValueError, match="its fields are body, id: name the right one with --text-field"):
        texts(path)


def test_a_source_that_is_nowhere_is_named():
    with pytest.raises(FileNotFoundError, match="'no/such' is neither a corpus"):
        open_corpus("no/such")


@pytest.mark.parametrize(
    ("name", "content"), [("x.txt", b"\x00\x01\x02binary"), ("x.jsonl", b"\xff\xfe\xfd"), ("x.parquet", b"not parquet")]
)
def test_a_file_that_is_not_what_its_name_says_is_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is named \.\w+ but is not"):
        open_corpus(str(tmp_path))


def test_text_that_turns_binary_later_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"good text\n" * 2000 + b"\xff\xfe")
    with pytest.raises(ValueError, match="holds a file that can't be read"):
        texts(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"good text\n" * 2000 + b"\0")
    with pytest.raises(ValueError, match="zero bytes"):
        texts(tmp_path)


def test_a_character_cut_by_the_first_look_is_no_fault(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 8191 + "日本", encoding="utf-8")
    assert texts(tmp_path) == ["x" * 8191 + "日本\n"]


def test_a_folder_of_nothing_or_of_several_kinds_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no \.txt, \.jsonl, \.parquet files"):
        open_corpus(str(tmp_path))
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.jsonl").write_text('{"text": "b"}')
    with pytest.raises(ValueError, match="mixes file types"):
        open_corpus(str(tmp_path))


def test_json_that_is_broken_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n{"text": ')
    with pytest.raises(ValueError, match="holds a file that can't be read"):
        texts(tmp_path)


def test_a_byte_order_mark_is_no_text_and_an_empty_file_no_document(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfmarked")
    (tmp_path / "b.txt").write_bytes(b"")
    (tmp_path / "c.txt").write_text("plain")
    assert texts(tmp_path) == ["marked", "plain"]
