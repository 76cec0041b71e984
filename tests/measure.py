"""The figures that the README gives, measured here: `make measure` prints the rows of its tables.

python tests/measure.py laptop | prepare | score | import | classroom | play [folder with some GB free]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure_classroom import classroom
from measure_play import play

PAIRS = 5  # times that two sides are run in turn


def nanogpt(*args) -> str:
    command = [sys.executable, "-m", "nanogpt", *map(str, args)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def laptop(folder: Path) -> None:
    """What the laptop preset reaches on its two texts."""
    for source in ("pydocs", "stories"):
        data, run = folder / source, folder / f"run-{source}"
        nanogpt("prepare", source, "--out", data)
        start = time.perf_counter()
        nanogpt("train", "laptop", "--data", data, "--run", run)
        seconds = time.perf_counter() - start
        report = json.loads(nanogpt("evaluate", run, "--json"))
        ours, bigram = report["bits_per_byte"], report["baselines"]["bigram"]["bits_per_byte"]
        floor = "not known"
        if report["floor"]:
            exact = report["floor"]["bits_per_byte"]
            floor = f"{exact:.3f} ({ours / exact - 1:+.1%})"
        print(
            f"| `{source}` | {seconds:.0f} s | {ours:.3f} | {bigram:.3f} ({ours / bigram - 1:+.1%}) | {floor} |",
            flush=True,
        )


def some_texts(megabytes: float) -> list[str]:
    """Different documents of about 5 kB, put together from the paragraphs of Python's documentation."""
    import random

    from nanogpt.pydocs import pydocs

    rng, texts, size = random.Random(0), [], 0
    paragraphs = [p for document in pydocs() for p in document.split("\n\n") if len(p) > 40]
    while size < megabytes * 1e6:
        wanted, parts = rng.lognormvariate(8.2, 0.8), []
        while sum(map(len, parts)) < wanted:
            parts.append(rng.choice(paragraphs))
        texts.append("\n\n".join(parts))
        size += len(texts[-1])
    return texts


def prepare(folder: Path) -> None:
    """Tokens a second of `nanogpt prepare` against `datasets.map` and a memory map, with nanoGPT's settings."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for megabytes in (50, 200, 500):
        place = folder / f"texts-{megabytes}"
        place.mkdir()
        pq.write_table(pa.table({"text": some_texts(megabytes)}), place / "texts.parquet", row_group_size=1000)
    peaks = [_alone("prepare_ours", folder / f"texts-{m}", folder / f"out-{m}")["peak"] for m in (50, 500)]
    print(f"peak memory of the first process for 50 and 500 MB of text: {peaks[0]} and {peaks[1]} MB", flush=True)
    by_map, by_cores = [], []
    for i in range(PAIRS):
        source = folder / "texts-200"
        ours = _alone("prepare_ours", source, folder / f"ours-{i}")
        thread = _alone("prepare_one_thread", source, folder)
        theirs = _alone("prepare_by_map", source, folder / f"theirs-{i}")
        assert ours["sha256"] == theirs["sha256"], "the shards differ"
        by_map.append(ours["speed"] / theirs["speed"])
        by_cores.append(ours["speed"] / (thread["speed"] * os.cpu_count()))
    _row("preparation, tokens/s", "`datasets.map` on as many processes, then a memory map", _ratio(by_map))
    _row("the same", "all cores at `tiktoken`'s single-thread rate", _ratio(by_cores))


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def _ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _alone(function: str, *args) -> dict:
    """Call a function of this file in a process of its own; it returns what that prints as JSON."""
    code = f"import sys, json, measure; print(json.dumps(measure.{function}(*sys.argv[1:])))"
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def prepare_ours(source: str, out: str) -> dict:
    from nanogpt.corpora import open_corpus
    from nanogpt.prepare import prepare

    start = time.perf_counter()
    data = prepare(open_corpus(source), out, "gpt2", 0.0005, shuffle=True)
    seconds = time.perf_counter() - start
    tokens = sum(split["tokens"] for split in data.meta["splits"].values())
    return {"speed": tokens / seconds, "peak": _peak_megabytes(), "sha256": data.meta["splits"]["train"]["sha256"]}


def prepare_one_thread(source: str, out: str) -> dict:
    import pyarrow.parquet as pq

    from nanogpt.tokenizer import gpt2_tokenizer

    encoding = gpt2_tokenizer()
    texts = pq.read_table(Path(source) / "texts.parquet")["text"].to_pylist()[:20_000]
    start = time.perf_counter()
    tokens = sum(len(encoding.encode_ordinary(text)) for text in texts)
    return {"speed": tokens / (time.perf_counter() - start)}


def prepare_by_map(source: str, out: str) -> dict:
    """The way of nanoGPT's recipe: split, `map` over all cores, then the tokens of each shard into a memory map."""
    import hashlib

    import datasets
    import numpy as np

    from nanogpt.tokenizer import gpt2_tokenizer

    datasets.disable_caching()
    encoding = gpt2_tokenizer()
    files = str(Path(source) / "texts.parquet")
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=f"{out}/cache")
    start = time.perf_counter()
    split = rows.train_test_split(test_size=0.0005, seed=2357, shuffle=True)

    def encode(row: dict) -> dict:
        ids = [*encoding.encode_ordinary(row["text"]), encoding.eot_token]
        return {"ids": ids, "length": len(ids)}

    tokens, digest = 0, hashlib.sha256()
    for name, part in split.map(encode, remove_columns=["text"], num_proc=os.cpu_count()).items():
        length = int(np.sum(part["length"], dtype=np.uint64))
        place, end = np.memmap(f"{out}/{name}.bin", dtype=np.uint16, mode="w+", shape=(length,)), 0
        pieces = min(1024, len(part))
        for i in range(pieces):
            ids = np.concatenate(part.shard(pieces, i, contiguous=True).with_format("numpy")["ids"])
            place[end : end + len(ids)] = ids
            end += len(ids)
        place.flush()
        tokens += length
        if name == "train":
            digest.update(Path(f"{out}/{name}.bin").read_bytes())
    return {"speed": tokens / (time.perf_counter() - start), "sha256": digest.hexdigest()}


def score(folder: Path) -> None:
    """Tokens a second of our scoring against lm-evaluation-harness, on the same exported 30M model and text."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from test_zeroshot import lambada_shaped

    from nanogpt.config import PRESETS
    from nanogpt.evaluate import Settings
    from nanogpt.export import export_run
    from nanogpt.runs import load_run
    from nanogpt.zeroshot import score_articles, score_last_words

    run = _random_run(folder / "run", PRESETS["gpt-30m"].model)
    export_run(run, folder / "hf")
    run, texts = load_run(run), some_texts(0.05)
    passages = lambada_shaped(n=60)
    pairs = [(passage.rpartition(" ")[0], " " + passage.rpartition(" ")[2]) for passage in passages]
    tokens = sum(len(run.tokenizer.encode_ordinary(text)) for text in texts)
    print(f"{tokens} tokens of running text, {len(passages)} passages, {torch.get_num_threads()} threads", flush=True)

    def harness(kind: str, batch_size: int):
        model = HFLM(pretrained=str(folder / "hf"), device="cpu", batch_size=batch_size)
        arguments = [(text,) for text in texts] if kind == "loglikelihood_rolling" else pairs
        asked = [Instance(kind, {}, a, i) for i, a in enumerate(arguments)]
        start = time.perf_counter()
        answers = getattr(model, kind)(asked, disable_tqdm=True)
        return time.perf_counter() - start, [a if isinstance(a, float) else a[0] for a in answers]

    def ours(kind: str, precision: str):
        settings, start = Settings(precision=precision), time.perf_counter()
        nats = (
            score_articles(run, texts, settings) if "rolling" in kind else score_last_words(run, passages, settings)
        )[0]
        return time.perf_counter() - start, (-nats).tolist()

    for kind, what in (("loglikelihood_rolling", "running text"), ("loglikelihood", "last words")):
        for precision in ("float32", "bfloat16"):
            ratios, apart = [], 0.0
            for _ in range(PAIRS):
                best = min((harness(kind, batch_size) for batch_size in (1, 8)), key=lambda result: result[0])
                seconds, answers = ours(kind, precision)
                ratios.append(best[0] / seconds)
                apart = max(abs(a - b) / abs(b) for a, b in zip(answers, best[1], strict=True))
            _row(
                f"scoring {what} in {precision}, tokens/s",
                f"lm-evaluation-harness in float32; log-likelihoods within {apart:.0e}",
                _ratio(ratios),
            )


def _random_run(place: Path, config) -> Path:
    import torch

    from nanogpt.checkpoint import model_tensors, save_checkpoint
    from nanogpt.config import RunConfig
    from nanogpt.model import GPT
    from nanogpt.runs import write_run_files
    from nanogpt.tokenizer import gpt2_tokenizer, tokenizer_hash

    torch.manual_seed(0)
    place.mkdir()
    encoding = gpt2_tokenizer()
    origin = {"imported": {"source": "random weights"}, "tokenizer_sha256": tokenizer_hash(encoding)}
    write_run_files(place, RunConfig(config), origin, encoding)
    save_checkpoint(place, 0, model_tensors(GPT(config)), {}, {})
    return place


def import_xl(folder: Path) -> None:
    """Peak memory of importing a checkpoint of GPT-2 XL's shape, against the size of its weights."""
    import dataclasses

    from nanogpt.config import PRESETS
    from nanogpt.export import export_run

    config = dataclasses.replace(PRESETS["gpt2-xl"].model, vocab_size=50_257)
    export_run(_random_run(folder / "xl", config), folder / "hf")
    size = (folder / "hf" / "model.safetensors").stat().st_size / 1e6
    peak = _alone("import_one", folder / "hf", folder / "again")["peak"]
    _row("peak memory of importing GPT-2 XL's shape", f"its {size:,.0f} MB of weights", f"{peak / size:.2f}")


def import_one(source: str, out: str) -> dict:
    from nanogpt.gpt2 import import_checkpoint

    import_checkpoint(source, out)
    return {"peak": _peak_megabytes()}


def _peak_megabytes() -> int:
    """The most memory that this process held, in MB of 10^6 bytes; read where Linux counts it from its own start."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 // 10**6
    raise OSError("needs /proc, as Linux has it")


MEASURES = {
    "laptop": laptop,
    "prepare": prepare,
    "score": score,
    "import": import_xl,
    "classroom": classroom,
    "play": play,
}

if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else "laptop"
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as place:
        MEASURES[asked](Path(place))
