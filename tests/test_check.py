"""How checks judge and speak, on an item made for it; the chapters' own items are tested by their answers."""

import functools
import json
import warnings

import numpy as np
import pytest
import torch

from nanogpt.course import check, progress
from nanogpt.course.check.item import Item, judge
from nanogpt.course.check.speech import CheckFailed, NotAttempted
from nanogpt.course.check.values import difference, shown

DOUBLE = Item(
    "double",
    "double(x): x (N,) -> (N,), twice as much",
    lambda x: 2 * x,
    lambda rng: [(torch.randn(rng.randrange(2, 6)),), (torch.tensor([3.0, 4.0]),)],
    {"this squares instead of doubling": lambda x: x**2, "this is half of it": lambda x: x / 2},
    gradient=True,
)


def complaint(answer, item=DOUBLE) -> str:
    with pytest.raises(CheckFailed) as caught:
        judge(item, answer)
    return str(caught.value)


def test_a_right_answer_is_told_what_was_checked():
    said = judge(DOUBLE, lambda x: x + x)
    assert said == "double: right on 2 inputs (type, shape, values, gradients, input left as it was)"


def test_a_wrong_one_is_told_what_was_asked_given_returned_expected_and_how_much_agrees():
    said = complaint(lambda x: x**2)
    for part in ("asked for", "called with", "came back", "expected", "agree", "this squares instead of doubling"):
        assert part in said
    assert "it looks as if" not in complaint(lambda x: x + 1)


def test_a_stub_is_not_attempted_and_nothing_else():
    def stub(x):
        raise NotImplementedError("your code here")

    with pytest.raises(NotAttempted, match="double: not attempted"):
        judge(DOUBLE, stub)


def test_what_torch_has_not_implemented_is_an_error_and_not_a_stub():
    def answer(x):
        return torch.ones(2, 2).bool().matmul(torch.ones(2, 2).bool())

    with pytest.raises(NotImplementedError):
        answer(None)
    said = complaint(answer)
    assert "not right yet" in said
    assert "NotImplementedError" in said


def test_an_exit_in_an_answer_is_told_like_any_error():
    assert "SystemExit" in complaint(lambda x: exit(3))


def test_what_only_computes_without_gradients_is_told_so():
    assert "no gradient comes through" in complaint(lambda x: torch.from_numpy(2 * x.numpy()))


def test_what_is_no_function_is_told_so():
    assert "which is no function" in complaint(7)


def test_a_missing_return_is_guessed():
    assert "is there a return at the end?" in complaint(lambda x: None)


def test_an_error_in_the_answer_is_told_with_its_line_and_without_a_traceback():
    def broken(x):
        return x @ torch.ones(99, 99)

    said = complaint(broken)
    assert "return x @ torch.ones(99, 99)" in said
    assert "RuntimeError" in said
    assert "Traceback" not in said


def test_changing_the_input_in_place_is_noticed():
    assert "changed in place" in complaint(lambda x: x.mul_(2))


def test_float64_is_noticed_and_the_values_are_not_blamed():
    assert "the values are right, but the type is float64, not float32" in complaint(lambda x: 2 * x.double())


def test_a_lost_gradient_is_noticed():
    assert "no gradient comes through" in complaint(lambda x: 2 * x.detach())


def test_an_answer_that_changes_from_call_to_call_is_noticed():
    calls = []

    def forgetful(x):
        calls.append(1)
        return 2 * x if len(calls) % 2 else 3 * x

    assert "answers differently" in complaint(forgetful)


def test_the_same_seed_draws_the_same_inputs_and_another_one_others():
    first, again, other = (DOUBLE.drawn(seed)[0][0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_a_notebook_shows_the_report_and_no_traceback():
    try:
        judge(DOUBLE, lambda x: x)
    except CheckFailed as error:
        assert error._render_traceback_() == str(error).splitlines()


@pytest.mark.parametrize(
    ("got", "expected", "what"),
    [
        (torch.zeros(2, 3), torch.zeros(3, 2), "the shape is (2, 3), not (3, 2)"),
        ([1.0, 2.0], torch.zeros(2), "a list came back, not a tensor"),
        (torch.tensor([float("nan"), 0]), torch.zeros(2), "no numbers (nan or inf)"),
        ((1.0, 2.0), (1.0, 3.0), "the number at place 1 is another"),
        ((1.0,), (1.0, 3.0), "1 things came back, not 2"),
        ({"a": 1}, {"a": 1, "b": 2}, "the keys are others: 'b' is on one side only"),
        ("a", b"a", "the value is another"),
        (True, 1.0, "a bool came back, not a number"),
    ],
)
def test_a_difference_is_named(got, expected, what):
    assert what in difference(got, expected, 1e-4, 1e-5).what


def test_whole_numbers_are_compared_exactly_and_floats_as_their_largest_allows():
    ids = torch.tensor([50_000, 3])
    assert difference(ids + 1, ids, 1e-4, 1e-5).what == "the values differ"
    large = torch.tensor([40.0, 0.001])
    assert difference(large + 2e-4, large, 1e-4, 1e-5) is None
    small = torch.tensor([1.0, 0.001])
    assert difference(small + 2e-4, small, 1e-4, 1e-5) is not None


def test_equal_values_do_not_differ():
    for value in (torch.ones(2), [1, 2.5], ("a", b"b", None), {"x": torch.zeros(1)}, 3, float("nan")):
        assert difference(value, value, 1e-4, 1e-5) is None


def test_a_large_tensor_is_shown_by_its_beginning():
    text = shown(torch.arange(100.0).view(2, 5, 10))
    assert text.startswith("float32 (2, 5, 10), beginning with")
    assert len(text.splitlines()) == 5


def test_a_check_keeps_what_passed_and_how_often_it_did_not(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    with pytest.raises(CheckFailed):
        check.causal_mask(lambda T: torch.ones(T, T).bool())
    said = check.causal_mask(lambda T: torch.ones(T, T).tril().bool())
    assert repr(said) == "causal_mask: right on 3 inputs (type, shape, values, input left as it was)"
    kept = progress.read_checks()["03_attention"]["causal_mask"]
    assert kept["failed"] == 1
    assert kept["first_tried"] <= kept["passed"]
    json.loads((tmp_path / "progress.json").read_text())


def test_a_check_that_is_not_there_is_told_in_a_sentence():
    with pytest.raises(AttributeError, match="there is no check called 'casual_mask'"):
        _ = check.casual_mask


def test_what_is_not_right_is_stood_in_for():
    def causal_mask(T):
        raise NotImplementedError

    assert check.or_reference(causal_mask)(3).tolist() == torch.ones(3, 3).tril().bool().tolist()

    def merge_heads(x):
        return torch.cat(x.unbind(1), -1)

    assert check.or_reference(merge_heads) is merge_heads


def keeps_its_own_half(T, half):
    return torch.ones(T, T).tril(0 if half == "lower" else 1).bool()


def test_an_answer_without_a_name_of_its_own_is_known_by_its_check(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    for right in (lambda T: torch.ones(T, T).tril().bool(), functools.partial(keeps_its_own_half, half="lower")):
        check.causal_mask(right)
        assert check.or_reference(right) is right
    for wrong in (lambda T: torch.ones(T, T).bool(), functools.partial(keeps_its_own_half, half="upper")):
        with pytest.raises(CheckFailed):
            check.causal_mask(wrong)
        assert check.or_reference(wrong) is check.items("attention")["causal_mask"].reference


def test_an_answer_that_went_to_the_wrong_check_first_is_known_by_the_last_one(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))

    def answer(x):
        return torch.cat(x.unbind(1), -1)

    with pytest.raises(CheckFailed):
        check.causal_mask(answer)
    check.merge_heads(answer)
    assert check.or_reference(answer) is answer


@pytest.mark.parametrize("answer", [lambda T: T, functools.partial(max, 1), 7], ids=["lambda", "partial", "number"])
def test_an_answer_that_is_called_like_no_item_and_was_in_no_check_is_told_what_to_do(answer):
    with pytest.raises(ValueError, match=r"run check.NAME\(NAME\) on it first, or write it with def NAME"):
        check.or_reference(answer)


def test_what_stands_in_is_known_again_whatever_it_is_called(capsys):
    for stem in check.CHAPTERS:
        for item in check.items(stem).values():
            assert check.or_reference(item.reference) is item.reference, item.name
    assert capsys.readouterr().out == ""


def test_what_stands_in_does_not_pass_for_the_students(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))

    def causal_mask(T):
        raise NotImplementedError

    with pytest.raises(NotAttempted, match="which stands in for yours: run the cell with your answer"):
        check.causal_mask(check.or_reference(causal_mask))
    assert not (tmp_path / "progress.json").exists()


def test_a_fault_in_another_function_of_the_students_is_placed_there():
    def halves(x):
        return x.view(3, 3, 3)

    def causal_mask(T):
        return halves(torch.ones(T, T))

    with pytest.raises(CheckFailed, match=r"x.view\(3, 3, 3\)    in halves, which was called at: return halves\("):
        check.causal_mask(causal_mask)


def test_a_fault_whose_message_cannot_be_shown_is_told_all_the_same():
    def causal_mask(T):
        raise ValueError(10**5000)

    with pytest.raises(CheckFailed, match=r"ValueError: its message can't be shown \(ValueError\)"):
        check.causal_mask(causal_mask)


def test_the_inputs_are_shown_by_the_names_that_the_page_gives_them():
    with pytest.raises(CheckFailed) as failed:
        check.split_heads(lambda x, n_head: x)
    assert "called with  x: float32 (1, 3, 4)\n" in str(failed.value)
    assert "  n_head: 2\n" in str(failed.value)


def test_a_change_inside_a_container_is_noticed():
    total = Item(
        "total", "total(parts): a list of tensors -> their sum", sum, lambda rng: [([torch.ones(2), torch.ones(2)],)]
    )

    def greedy(parts):
        parts.pop()
        return torch.full((2,), 2.0)

    assert "changed in place" in complaint(greedy, total)
    assert "right on 1 inputs" in judge(total, lambda parts: torch.stack(parts).sum(0))

    def untidy(parts):
        parts[0] = "done"
        return torch.full((2,), 2.0)

    assert "changed in place" in complaint(untidy, total)


def test_a_graph_broken_in_place_has_no_gradient():
    def in_place(x):
        out = x.exp()
        out /= out / (2 * x)
        return out

    assert "no gradient comes through" in complaint(in_place)


def test_a_number_too_large_for_a_float_is_another():
    assert difference(10**400, 2.0, 1e-4, 1e-5).what == "the number is another"


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no words")


class Contrary(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *args, **kwargs):
        raise RuntimeError("not with me")


ODD = {
    "sparse": lambda: torch.ones(3).to_sparse(),
    "compressed": lambda: torch.eye(3).to_sparse_csr(),
    "mkldnn": lambda: torch.ones(3).to_mkldnn(),
    "meta": lambda: torch.empty(3, device="meta"),
    "complex": lambda: torch.complex(torch.ones(3), torch.ones(3)),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
    "by channel": lambda: torch.quantize_per_channel(torch.eye(3), torch.ones(3), torch.zeros(3), 0, torch.qint8),
    "bits": lambda: torch.zeros(3, dtype=torch.uint8).view(torch.bits8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "contrary": lambda: torch.ones(3).as_subclass(Contrary),
    "one sparse": lambda: torch.ones(1).to_sparse(),
    "one on meta": lambda: torch.empty((), device="meta"),
    "huge": lambda: 10**5000,
    "a list of huge": lambda: [10**5000, 10**5000],
    "under huge": lambda: {10**5000: 1.0},
    "huge under a": lambda: {"a": 10**5000},
    "complex number": lambda: np.complex128(2),
    "unspeakable": lambda: Unspeakable(),
    "under unspeakable": lambda: {Unspeakable(): 1.0},
    "tensor and huge": lambda: (torch.empty(3, device="meta"), 10**5000),
}


@pytest.mark.filterwarnings("ignore:.*prototype stage", "ignore:.*beta state", "ignore:.*deprecated")
@pytest.mark.parametrize("odd", ODD)
def test_whatever_comes_back_is_a_wrong_answer_with_a_report(odd):
    got = ODD[odd]()
    for expected in (torch.ones(3), torch.eye(3), 2.0, 3, "a", [1.0, 2.0], {"a": 1.0}):
        item = Item("odd", "odd() -> something", lambda expected=expected: expected, lambda rng: [()])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            said = complaint(lambda: got, item)
        assert "came back" in said
        assert "expected" in said
        assert len(said) < 1500


@pytest.mark.parametrize(
    ("odd", "what", "looks"),
    [
        ("sparse", "the tensor is sparse_coo, not dense: end with to_dense()", "float32 (3,), sparse_coo"),
        ("meta", "the tensor is on meta, not on cpu", "float32 (3,) on meta, which holds no numbers"),
        ("complex", "the type is complex64, not float32", "complex64 (3,)\n(1+1j)  (1+1j)  (1+1j)"),
        ("quantized", "the type is quint8, not float32", "quint8 (3,)\n  1.0000    1.0000    1.0000"),
        ("contrary", "a Contrary came back that can't be compared (RuntimeError)", "a Contrary that can't be written"),
        ("huge", "a int came back, not a tensor", "a whole number of about 5,000 digits"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_what_is_odd_about_it_is_named(odd, what, looks):
    got = ODD[odd]()
    assert difference(got, torch.ones(3), 1e-4, 1e-5).what == what
    assert shown(got).startswith(looks)


def test_a_reference_that_cannot_be_compared_is_no_fault_of_the_answer():
    item = Item("odd", "odd() -> something", lambda: {1, 2}, lambda rng: [()])
    with pytest.raises(TypeError, match="a check can't compare a set"):
        judge(item, lambda: {1, 2})
    listed = Item("odd", "odd() -> something", lambda: [{1, 2}], lambda rng: [()])
    with pytest.raises(TypeError, match="a check can't compare a set"):
        judge(listed, lambda: [{1, 2}])


def test_a_sparse_gradient_is_a_gradient():
    table = torch.arange(12.0).view(4, 3)
    item = Item(
        "rows", "rows(table) -> two of them", lambda table: table[[1, 2]], lambda rng: [(table,)], gradient=True
    )
    said = judge(item, lambda table: torch.nn.functional.embedding(torch.tensor([1, 2]), table, sparse=True))
    assert "gradients" in said


def test_of_a_list_in_a_list_the_place_is_told_and_its_parts_are_not_counted():
    pairs = [(0, 4), (4, 8), (8, 11)]
    found = difference([(0, 4), (4, 8), (8, 12)], pairs, 0, 0)
    assert found.what.startswith("the number at place 1 of what stands at place 2 is another")
    assert (found.agree, found.total) == (2, 3)
    found = difference({"a": {"b": [1, 2, 3]}}, {"a": {"b": [1, 2, 4]}}, 0, 0)
    assert "at place 2 of what stands under 'b' of what stands under 'a'" in found.what


def test_a_gradient_left_in_the_input_is_a_change_of_it():
    total = Item("total", "total(x) -> its sum", lambda x: x.sum().detach(), lambda rng: [(torch.ones(2),)])

    def leaves_a_gradient(x):
        x.requires_grad_().sum().backward()
        return x.detach().sum()

    with pytest.raises(CheckFailed, match="the input was changed in place"):
        judge(total, leaves_a_gradient)


def test_an_answer_that_stops_as_a_slip_does_is_told_so():
    slips = {"the last one is one too far": lambda x: x[len(x)], "the letter is one too far": lambda x: "abc"[len(x)]}
    last = Item("last", "last(x) -> its last", lambda x: x[-1], lambda rng: [([1, 2, 3],)], slips)
    with pytest.raises(
        CheckFailed, match=r"IndexError: string index out of range\n.* as if  the letter is one too far"
    ):
        judge(last, lambda x: ("a" * len(x))[len(x)])


def test_an_answer_that_calls_what_is_not_written_yet_is_no_stub():
    def causal_mask(T):
        raise NotImplementedError("your code here")

    def one_head(x, w_query, w_key, w_value):
        return causal_mask(len(x))

    with pytest.raises(CheckFailed, match="it calls causal_mask, which isn't written yet") as failed:
        check.one_head(one_head)
    assert not isinstance(failed.value, NotAttempted)


def test_the_wrong_check_by_mistake_does_not_make_it_another_items_answer():
    def merge_heads(x):
        return x.transpose(1, 2).flatten(2)

    with pytest.raises(CheckFailed):
        check.split_heads(merge_heads)
    assert check.or_reference(merge_heads) is merge_heads


@pytest.mark.parametrize(
    ("got", "what"),
    [
        (3.0, "a float came back, 3, not a whole number"),
        (np.float16(3), "a float16 came back, 3, not a whole number"),
        (torch.tensor([[3]]), "a Tensor came back, not a number"),
        (10**9 + 1, "the number is another"),
        (True, "a bool came back, not a number"),
    ],
)
def test_a_whole_number_is_compared_as_one(got, what):
    assert difference(got, 10**9 if isinstance(got, int) else 3, 1e-4, 1e-5).what == what
    for right in (3, np.int64(3), torch.tensor(3)):
        assert difference(right, 3, 1e-4, 1e-5) is None
