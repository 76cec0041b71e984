"""What crosses between the grader and a student's process: every value as it was, and nothing but values."""

import contextlib
import json
import math
import socket

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nanogpt.course import check
from nanogpt.course.check.values import copied
from nanogpt.course.classroom import wire
from nanogpt.course.classroom.wire import LARGEST, LENGTH, pack, receive, send, unpack


def sent(value):
    """A value at the other end of the wire."""
    return unpack(json.loads(json.dumps(pack(value))))


def same(a, b) -> bool:
    """Equal in type and content, nan equal to nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(bits(a), bits(b))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


@pytest.mark.parametrize("name", sorted(wire.TENSORS))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 1, 3)], ids=str)
def test_a_tensor_comes_back_in_type_shape_and_bits(name, shape):
    tensor = (torch.randn(shape) * 9).abs().to(getattr(torch, name))
    assert same(sent(tensor), tensor)


def test_a_tensor_comes_back_whatever_its_layout_and_its_graph():
    x = torch.randn(2, 3, requires_grad=True)
    for odd in (x, x.T, x[:, ::2], x.expand(4, 2, 3), (x * 2), torch.randn(2, dtype=torch.complex64).conj(), x.mT[1:]):
        assert same(sent(odd), odd.detach().resolve_conj().contiguous())


@pytest.mark.parametrize("name", ["?", "i1", "u2", "<i4", ">i4", "i8", "f2", "f4", "f8", "c8", "c16"])
def test_numpys_arrays_and_scalars_come_back(name):
    for array in (np.array(3).astype(name), np.arange(6).astype(name).reshape(2, 3), np.zeros((0, 2), name)):
        assert same(sent(array), array)
    assert same(sent(np.dtype(name).type(1)), np.dtype(name).type(1))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**64,
        -(3**2000),
        0.1,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        "",
        "é\n\ud800",
        b"",
        b"\0\xff",
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_plain_value_comes_back(value):
    assert same(sent(value), value)


plain = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.builds(lambda numbers: torch.tensor(numbers, dtype=torch.bfloat16), st.lists(st.floats(width=16)))
    | st.builds(np.array, st.lists(st.integers(-99, 99)))
)  # fmt: skip
keys = st.text() | st.integers() | st.binary() | st.tuples(st.binary(), st.integers())
values = st.recursive(
    plain, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner), max_leaves=20
)


@settings(deadline=None)
@given(values)
def test_whatever_is_made_of_known_types_comes_back_as_it_was(value):
    assert same(sent(value), value)


@pytest.mark.parametrize("stem", check.CHAPTERS)
def test_what_the_items_of_a_chapter_return_comes_back_as_it_was(stem):
    for item in check.items(stem).values():
        for case in item.drawn(seed=1):
            expected = item.reference(*copied(case))
            assert same(sent(expected), expected), item.name


@pytest.mark.parametrize(
    "value",
    [
        {1, 2}, object(), lambda: 1, torch.nn.Linear(1, 1), (i for i in ()), np.array([None]), np.array("a"), 2**5000,
        torch.eye(2).to_sparse(), torch.zeros(2, device="meta"), torch.zeros(2, dtype=torch.bits8), Exception("x"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_of_an_unknown_type_only_its_name_comes_back(value):
    back = sent([value])[0]
    assert type(back).__name__ == type(value).__name__
    assert repr(back) == f"<{type(value).__name__}>"
    assert not vars(back)


def test_what_is_nested_without_end_is_cut():
    endless: list = []
    endless.append(endless)
    assert repr(sent(endless)).count("[") <= wire.DEEPEST + 1


def test_many_things_of_an_unknown_type_cost_one_type():
    back = sent([object() for _ in range(1000)])
    assert len({id(type(thing)) for thing in back}) == 1


FOUR = "AAAAAA=="  # four bytes
GARBAGE = [
    5, [], {}, ["int"], {"no": 1}, {"int": "1", "list": []}, {"int": "x"}, {"int": None}, {"int": "9" * 5000},
    {"int": math.inf}, {"bytes": 5}, {"bytes": "a"}, {"bytes": "é"}, {"dict": 5}, {"dict": [[1.0]]}, {"list": 5},
    {"dict": [[{"list": []}, 1.0]]}, {"tuple": None}, {"list": [5]}, {"unknown": [1], "list": []},
    {"array": "<f4"}, {"array": "<f4", "shape": [2], "data": FOUR}, {"array": "<f4", "shape": [1], "data": "AAA"},
    {"array": "<f4", "shape": [2**70], "data": FOUR}, {"array": "<f4", "shape": ["1"], "data": FOUR},
    {"array": "<f4", "shape": [1] * 99, "data": FOUR}, {"array": "<f8", "shape": [1], "data": FOUR},
    *({"array": name, "shape": [1], "data": FOUR} for name in
      ("O", "object", "V4", "U1", "S4", "M8[s]", "f4,f4", "(2,2)f4", "f4,(2", "9" * 5000 + "f4", "nonsense", "\ud800")),
    *({"array": name, "shape": [1], "data": FOUR} for name in (5, [], ["f4"], {"a": 1}, [["a", "O"]])),
    {"tensor": "float32"}, {"tensor": "float32", "shape": [2], "data": FOUR}, {"tensor": "float32", "data": FOUR},
    {"tensor": "float32", "shape": [-1, -1], "data": FOUR}, {"tensor": "float32", "shape": [2**62], "data": FOUR},
    {"tensor": "float32", "shape": ["a"], "data": FOUR}, {"tensor": "float32", "shape": None, "data": FOUR},
    {"tensor": "float64", "shape": [1], "data": FOUR}, {"tensor": "float32", "shape": [1], "data": "AAA"},
    *({"tensor": name, "shape": [1], "data": FOUR} for name in
      ("load", "nn", "Tensor", "__class__", "qint32", "bits8", "float8_e4m3fn", "int1", "\ud800", None, 3, [])),
    {"list": [{"unknown": f"kind{i}"} for i in range(wire.STRANGE + 1)]},
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: ascii(garbage)[:40])
def test_garbage_is_a_value_error(garbage):
    with pytest.raises(ValueError):
        unpack(garbage)


def test_a_value_nested_too_deeply_is_a_value_error():
    deep: object = 1.0
    for _ in range(30):
        deep = {"list": [deep]}
    with pytest.raises(ValueError, match="or 20 deep, came"):
        unpack(deep)


words = st.sampled_from("int bytes array tensor dict tuple list unknown shape data scalar <f4 bool float32 O".split())
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words | st.just(FOUR),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(anything)
def test_whatever_json_comes_is_a_value_or_a_value_error(message):
    with contextlib.suppress(ValueError):
        repr(unpack(message))


@pytest.fixture
def pair():
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(5)
    yield ends
    for end in ends:
        end.close()


def test_a_message_comes_as_it_was_sent(pair):
    send(pair[0], {"a": [1, "é"]})
    send(pair[0], {"b": None})
    assert [receive(pair[1]), receive(pair[1])] == [{"a": [1, "é"]}, {"b": None}]


@pytest.mark.parametrize(
    "text",
    [b"", b"hello", b"[1]", b"3", b"null", b'{"a": 1', b"\xff\xfe", b'{"a": 1}x', b"[" * 20_000, b'{"a":' * 20_000],
    ids=lambda text: repr(text[:9]),
)
def test_what_is_no_message_is_a_value_error(pair, text):
    pair[0].sendall(LENGTH.pack(len(text)) + text)
    with pytest.raises(ValueError, match="what came is not a message of the grader's"):
        receive(pair[1])


@pytest.mark.parametrize("size", [LARGEST + 1, 2**64 - 1])
def test_too_large_a_message_is_refused_before_it_is_read(pair, size):
    pair[0].sendall(LENGTH.pack(size) + b"{}")
    with pytest.raises(ValueError, match=f"a message of {size:,} bytes came, more than the {LARGEST:,} that are read"):
        receive(pair[1])


@pytest.mark.parametrize("part", [b"", LENGTH.pack(9)[:3], LENGTH.pack(9), LENGTH.pack(9) + b'{"a"'])
def test_a_message_that_breaks_off_is_told_from_one_that_is_wrong(pair, part):
    pair[0].sendall(part)
    pair[0].close()
    with pytest.raises(EOFError):
        receive(pair[1])


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"tensor": "float32", "shape": [1] * 65, "data": "AACAPw=="}, "a tensor of more than 64 axes"),
        ({"dict": [[{"int": str(i)}, None] for i in range(5001)]}, "a dict of more than 5,000 keys"),
        ({"list": [None] * 100_000}, "a value of more than 100,000 parts, or"),
    ],
)
def test_what_would_take_long_to_compare_is_refused(sent, words):
    with pytest.raises(ValueError, match=words):
        unpack(sent)
