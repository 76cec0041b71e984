import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanogpt.corpora import open_corpus, usual_preparation


def texts(source, **options) -> list[str]:
    return [document.text for document in open_corpus(str(source), **options)]


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


@pytest.mark.parametrize("kind", ["stories", "jsonl", "parquet", "txt", "texts"])
def test_reading_goes_on_from_any_place(kind, tmp_path):
    rows = [{"text": f"Document {i}. " + "word " * (i % 7)} for i in range(300)]
    source = tmp_path
    if kind == "stories":
        source = "stories"
    elif kind == "jsonl":
        (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows[:200])))
        (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows[200:])))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=50)
    elif kind == "txt":
        source = tmp_path / "a.txt"
        source.write_text("\n\n".join(row["text"] * 40 for row in rows))
    else:
        for i, row in enumerate(rows[:150]):
            (tmp_path / f"{i:03}.txt").write_text(row["text"])
    corpus = open_corpus(str(source), limit=290)
    batches = [(documents, json.loads(json.dumps(place))) for documents, place in corpus.batches(None)]
    assert len(batches) > 2
    for i, (_, place) in enumerate(batches):
        rest = [document for documents, _ in batches[i + 1 :] for document in documents]
        assert [document for documents, _ in corpus.batches(place) for document in documents] == rest


def test_each_source_knows_how_it_is_usually_prepared():
    assert usual_preparation("openwebtext") == {"tokenizer": "gpt2", "val_share": 0.0005, "shuffle": True}
    assert usual_preparation("tinystories")["tokenizer"] == "gpt2"
    assert usual_preparation("pydocs") == {"tokenizer": "768", "val_share": 0.1, "shuffle": False}


def test_a_text_of_the_hub_is_opened_without_a_network_and_read_with_one():
    corpus = open_corpus("openwebtext", limit=100_000)
    assert (corpus.recipe, corpus.total) == ({"source": "openwebtext", "limit": 100_000}, 100_000)
    assert open_corpus("openwebtext").total == 8_013_769
    with pytest.raises(
        ConnectionError, match=r"Skylion007/openwebtext is on the hub, and .* can't be reached from here"
    ):
        next(iter(corpus))


@pytest.mark.parametrize("name", ["notes [1].txt", "a[1].jsonl", "what?*.txt"])
def test_a_name_that_looks_like_a_pattern_is_a_name(name, tmp_path):
    content = {".txt": "own text", ".jsonl": '{"text": "own text"}'}
    (tmp_path / "notes 1.txt").write_text("another file")
    (tmp_path / "a1.jsonl").write_text('{"text": "another file"}')
    path = tmp_path / name
    path.write_text(content[path.suffix])
    assert [text.strip() for text in texts(path)] == ["own text"]


def test_what_decides_about_the_text_is_in_the_recipe(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"title": "one", "body": "two"}')
    title, body = (open_corpus(str(tmp_path), text_field=field) for field in ("title", "body"))
    assert title.recipe != body.recipe
    assert open_corpus("stories", seed=1).recipe != open_corpus("stories", seed=2).recipe
