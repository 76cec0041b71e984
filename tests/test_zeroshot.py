"""WikiText and LAMBADA, with lm-evaluation-harness as the referee: its own task files, on documents of ours."""

import importlib.resources
import json
import math
import random

import pytest
import yaml

from nanogpt.benchmarks import articles, detokenise
from nanogpt.evaluate import Settings
from nanogpt.export import export_run
from nanogpt.generate import Sampling, generate_tokens
from nanogpt.gpt2 import import_checkpoint
from nanogpt.runs import Run, load_run
from nanogpt.stories import stories
from nanogpt.zeroshot import evaluate_lambada, evaluate_wikitext, score_articles, score_last_words

WORDS = "the a of in and was for that city river music film game team year first won said its by".split()


def wikitext_shaped(seed: int = 0, n: int = 6) -> list[str]:
    """Articles in WikiText's spelling: cut into words, @-@ and @,@ within them, headings of several ranks."""
    rng, lines = random.Random(seed), []
    words = [*WORDS, "@-@", "@,@", ",", "1", "500", "( née", ")", "日本", '"', "'s"]
    for i in range(n):
        lines += ["", f" = Article {i} = \n", ""]
        for _ in range(rng.randrange(1, 5)):
            lines += [f" {' '.join(rng.choices(words, k=60))} . \n", " = = A part = = \n", ""]
    return list(articles(lines))


def lambada_shaped(seed: int = 0, n: int = 40) -> list[str]:
    rng = random.Random(seed)
    words = [*WORDS, "“quoted”", "naïve,", "unbelievable.", "extraordinarily"]
    return [" ".join(rng.choices(words, k=rng.randrange(3, 60))) for _ in range(n)]


@pytest.fixture(scope="module")
def gpt2_run(tmp_path_factory) -> Run:
    """A random model with GPT-2's tokenizer; trained on nothing, but sure of itself."""
    from random_gpt2 import random_gpt2

    from nanogpt.config import ModelConfig

    folder = tmp_path_factory.mktemp("gpt2")
    config = ModelConfig(n_layer=2, n_head=2, n_embd=32, context_length=64, vocab_size=50_257, bias=True)
    random_gpt2(config, std=0.15).save_pretrained(folder / "hf")
    import_checkpoint(str(folder / "hf"), folder / "run")
    return load_run(folder / "run")


@pytest.fixture(params=["GPT-2's tokenizer", "a tokenizer of ours"])
def run(request, gpt2_run, story_run) -> Run:
    return gpt2_run if request.param == "GPT-2's tokenizer" else story_run


def referee(run: Run, task: str, documents: list[dict], folder, batch_size: int) -> dict:
    """What the harness says of the exported run by its own task file, the documents alone being ours."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks.wikitext import preprocess_wikitext

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: getattr(preprocess_wikitext, node.value.split(".")[-1]))
    name = "wikitext/wikitext.yaml" if task == "wikitext" else "lambada/lambada_openai.yaml"
    config = yaml.load((importlib.resources.files("lm_eval.tasks") / name).read_text(), Loader)
    file = folder / f"{task}.json"
    file.write_text("\n".join(map(json.dumps, documents)))
    config |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": {"test": str(file)}}}
    config = {key: value for key, value in config.items() if key not in ("training_split", "validation_split", "tag")}
    config["should_decontaminate"] = False
    export_run(run.folder, folder / "hf")
    harness = HFLM(pretrained=str(folder / "hf"), device="cpu", dtype="float32", batch_size=batch_size)
    return simple_evaluate(harness, tasks=[config], bootstrap_iters=0, log_samples=True, task_manager=TaskManager())


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4])
def test_wikitext_is_scored_as_the_harness_scores_it(run, batch_size, tmp_path):
    pages = wikitext_shaped()
    theirs = referee(run, "wikitext", [{"page": page} for page in pages], tmp_path, batch_size)
    ours = evaluate_wikitext(run, "wikitext-2", Settings(batch_size=batch_size), pages)
    figures = theirs["results"]["wikitext"]
    assert ours.word_perplexity == pytest.approx(figures["word_perplexity,none"], rel=1e-3)
    assert ours.bits_per_byte == pytest.approx(figures["bits_per_byte,none"], rel=1e-3)
    nats, _ = score_articles(run, [detokenise(page) for page in pages], Settings(batch_size=batch_size))
    samples = theirs["samples"]["wikitext"]
    assert [sample["doc"]["page"] for sample in samples] == pages
    assert -nats == pytest.approx([float(sample["filtered_resps"][0]) for sample in samples], rel=1e-3)
    assert ours.words_scored == sum(sample["word_perplexity"][1] for sample in samples)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4])
def test_lambada_is_scored_as_the_harness_scores_it(run, batch_size, tmp_path):
    passages = lambada_shaped() + guessable(run)
    theirs = referee(run, "lambada", [{"text": passage} for passage in passages], tmp_path, batch_size)
    ours = evaluate_lambada(run, "lambada", Settings(batch_size=batch_size), passages)
    figures = theirs["results"]["lambada_openai"]
    assert 0 < ours.accuracy < 1 or run.tokenizer.name != "gpt2"  # the small story model guesses none
    assert ours.accuracy == figures["acc,none"]
    assert ours.word_perplexity == pytest.approx(figures["perplexity,none"], rel=1e-3)
    nats, _, right = score_last_words(run, passages, Settings(batch_size=batch_size))
    answers = [sample["filtered_resps"][0] for sample in theirs["samples"]["lambada_openai"]]
    assert -nats == pytest.approx([float(log_prob) for log_prob, _ in answers], rel=1e-3)
    assert right.tolist() == [str(guessed) == "True" for _, guessed in answers]


def guessable(run: Run) -> list[str]:
    """Passages of which the model guesses some: stories that break off, one half of them with its own next word."""
    found = []
    for story, _ in stories(7, 60):
        words = story.split(" ")
        found.append(" ".join(words[: len(words) // 2]))
        context = run.tokenizer.encode_ordinary(found[-1].rpartition(" ")[0])[-60:]
        written = run.tokenizer.decode(
            list(generate_tokens(run.model, context, 1, Sampling(temperature=0), run.tokenizer.n_vocab))
        )
        if written.startswith(" ") and written[1:].isalpha():
            found.append(found[-1].rpartition(" ")[0] + written)
    return found


def test_a_passage_longer_than_the_context_loses_its_beginning(gpt2_run):
    T = gpt2_run.model.config.context_length
    passage = " ".join(["word"] * (3 * T)) + " end"
    short = " ".join(["word"] * (T + 1)) + " end"
    long, cut = (evaluate_lambada(gpt2_run, "lambada", passages=[text]) for text in (passage, short))
    assert long.word_perplexity == pytest.approx(cut.word_perplexity, rel=1e-4)


def test_perplexities_of_token_and_word_and_byte_are_one_sum_by_three_counts(gpt2_run):
    report = evaluate_wikitext(gpt2_run, "wikitext-103", articles=wikitext_shaped())
    nats = report.loss * report.tokens_scored
    assert math.log(report.token_perplexity) == pytest.approx(report.loss)
    assert math.log(report.word_perplexity) == pytest.approx(nats / report.words_scored)
    assert report.bits_per_byte == pytest.approx(nats / report.bytes_scored / math.log(2))
    assert report.interval[0] < report.loss < report.interval[1]
    table = report.to_table()
    assert all(f"{x} perplexity" in table for x in ("token", "word"))


def test_a_limit_and_another_stride_are_told(gpt2_run):
    pages = wikitext_shaped()
    report = evaluate_wikitext(gpt2_run, "wikitext-2", Settings(limit=2, stride=16, context_length=32), pages)
    assert report.documents == 2
    assert report.settings == {"context_length": 32, "stride": 16, "limit": 2, "precision": "float32"}
    assert "windows of 32 tokens, 16 apart" in report.protocol
    assert report.loss < evaluate_wikitext(gpt2_run, "wikitext-2", Settings(context_length=32), pages[:2]).loss + 1


def test_what_cannot_be_scored_is_told(gpt2_run):
    with pytest.raises(ValueError, match="there is a document without any token, or none at all"):
        evaluate_wikitext(gpt2_run, "wikitext-2", articles=[])
    with pytest.raises(ValueError, match="'alone' has no last word to guess"):
        evaluate_lambada(gpt2_run, "lambada", passages=["two words", "alone"])
    with pytest.raises(ValueError, match="context_length=65 is not between 1 and the model's 64"):
        evaluate_lambada(gpt2_run, "lambada", Settings(context_length=65), ["two words"])
    with pytest.raises(ValueError, match="a last word has 5 tokens and the context 3"):
        evaluate_lambada(gpt2_run, "lambada", Settings(context_length=3), ["one antidisestablishmentarianism"])


def test_the_accuracy_is_a_share_with_an_interval(gpt2_run):
    passages = lambada_shaped() + guessable(gpt2_run)
    report = evaluate_lambada(gpt2_run, "lambada", passages=passages)
    low, high = report.accuracy_interval
    assert 0 <= low <= report.accuracy <= high <= 1
    assert report.interval[0] < report.word_perplexity < report.interval[1]
    assert f"{report.accuracy:.2%} of the last words right" in report.to_table()
