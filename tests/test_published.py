import math

import pytest

from nanogpt.course.published import PUBLISHED_CSV, UNITS, Published, figure, read_published, with_metric

HEAD = "model,params,metric,value,protocol,source\n"


@pytest.mark.parametrize(
    ("model", "metric", "value"),
    [
        ("gpt2", "loss_nats_per_token", 3.12),
        ("gpt2-medium", "loss_nats_per_token", 2.84),
        ("gpt2-large", "loss_nats_per_token", 2.67),
        ("gpt2-xl", "loss_nats_per_token", 2.54),
        ("gpt2-finetuned-owt", "loss_nats_per_token", 2.85),
        ("nanogpt-124m", "loss_nats_per_token", 2.85),
        ("gpt2", "lambada_ppl", 35.13),
        ("gpt2", "lambada_acc_percent", 45.99),
        ("gpt2-xl", "lambada_acc_percent", 63.24),
        ("gpt2", "wikitext2_ppl", 29.41),
        ("gpt2", "wikitext103_word_ppl", 37.50),
        ("gpt2-xl", "wikitext103_word_ppl", 17.48),
        ("gpt2-xl", "ptb_ppl", 35.76),
        ("gpt2", "enwik8_bits_per_byte", 1.16),
        ("gpt2", "lambada_openai_acc_percent", 32.56),
        ("gpt2", "lambada_openai_word_ppl", 40.06),
        ("gpt2", "lambada_standard_acc_percent", 26),
        ("gpt2", "wikitext2_word_ppl", 37.37),
        ("gpt2-large", "wikitext2_token_ppl_disjoint", 19.44),
        ("gpt2-large", "wikitext2_token_ppl_stride512", 16.44),
    ],
)
def test_the_figures_are_those_of_their_sources(model, metric, value):
    assert figure(read_published(), model, metric).value == value


def test_every_figure_has_a_unit_a_protocol_and_a_source():
    rows = read_published()
    assert len(rows) == len(PUBLISHED_CSV.read_text().splitlines()) - 1
    assert {row.metric for row in rows} == set(UNITS)
    assert all(row.protocol and row.source and 0 < row.value < math.inf for row in rows)
    assert all(sentence.endswith(".") for sentence in UNITS.values())


def test_parameters_are_read_as_numbers():
    assert figure(read_published(), "gpt2-xl", "loss_nats_per_token").parameters == 1_558_000_000


def test_one_metric_is_found_for_all_its_models():
    models = [row.model for row in with_metric(read_published(), "wikitext2_ppl")]
    assert models == ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"]


def test_a_figure_that_nobody_published_is_asked_for_in_vain():
    with pytest.raises(ValueError, match=r"there is no published ptb_ppl of gpt5; restore published.csv"):
        figure(read_published(), "gpt5", "ptb_ppl")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("gpt2,124M,loss_nats_per_token,3.12,val", "5 cells, expected 6"),
        ("gpt2,124M,loss_nats_per_token,3.12,val,", "source is empty"),
        ("gpt2,124M,loss_nats_per_token,3.12, ,readme", "protocol is empty"),
        ("gpt2,big,loss_nats_per_token,3.12,val,readme", "params 'big' is not a number of millions"),
        ("gpt2,124M,bleu,3.12,val,readme", "metric 'bleu' is unknown"),
        ("gpt2,124M,loss_nats_per_token,low,val,readme", "value 'low' is not a positive number"),
        ("gpt2,124M,loss_nats_per_token,-1,val,readme", "value '-1' is not a positive number"),
        ("gpt2,124M,loss_nats_per_token,inf,val,readme", "value 'inf' is not a positive number"),
    ],
)
def test_a_row_that_cannot_be_cited_is_refused_with_its_line(line, says, tmp_path):
    path = tmp_path / "published.csv"
    path.write_text(f"{HEAD}gpt2,124M,ptb_ppl,65.85,paper,paper\n{line}\n")
    with pytest.raises(ValueError, match=rf"line 3: .*{says}"):
        read_published(path)


def test_other_columns_and_a_figure_given_twice_are_refused(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("model,value\ngpt2,3.12\n")
    with pytest.raises(ValueError, match="has the columns"):
        read_published(path)
    path.write_text(HEAD + "gpt2,124M,ptb_ppl,65.85,paper,paper\n" * 2)
    with pytest.raises(ValueError, match="has ptb_ppl of gpt2 twice"):
        read_published(path)


def test_a_quoted_cell_may_hold_a_comma(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text(HEAD + 'gpt2,124M,ptb_ppl,65.85,"paper, zero-shot",paper\n')
    assert read_published(path) == [Published("gpt2", "124M", "ptb_ppl", 65.85, "paper, zero-shot", "paper")]
