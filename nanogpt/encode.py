"""Batches of documents to token ids on every core, in their order."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import connection
from typing import TYPE_CHECKING

import numpy as np

from nanogpt.corpora import Document, Place, Stream

if TYPE_CHECKING:
    import tiktoken

ALONE = 4_000_000  # characters that one process tokenises sooner than others could be started
RECORD = np.dtype([("tokens", "<u4"), ("bytes", "<u4"), ("log_prob", "<f8")])  # what is kept of a document
Encoded = tuple[np.ndarray, Place, bytes]


def encoded(batches: Stream, encoding: "tiktoken.Encoding") -> Iterator[Encoded]:
    """Tokenise batches of documents, one end-of-text after each document; each with its place to go on from.

    Yields (records (B,) of RECORD, place, ids as raw uint16). All cores take part, in processes of their
    own, unless the text is short.
    """
    first, characters = [], 0
    for documents, place in batches:
        first.append((documents, place))
        characters += sum(len(document.text) for document in documents)
        if characters >= ALONE:
            break
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if characters < ALONE or workers == 1:
        for documents, place in chain(first, batches):
            counts, ids = encode_texts([document.text for document in documents], encoding)
            yield _records(documents, counts), place, ids
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(workers, context, _begin_work, (encoding,)) as pool:
        waiting: deque[tuple] = deque()

        def next_done() -> Encoded:
            documents, place, result = waiting.popleft()
            counts, ids = result.result()
            return _records(documents, counts), place, ids

        for documents, place in chain(first, batches):
            waiting.append((documents, place, pool.submit(_work, [document.text for document in documents])))
            if len(waiting) > 2 * workers:
                yield next_done()
        while waiting:
            yield next_done()


def encode_texts(texts: list[str], encoding: "tiktoken.Encoding") -> tuple[np.ndarray, bytes]:
    """Token ids of each text and an end-of-text after it: (counts (B, 2) of tokens and UTF-8 bytes, raw uint16)."""
    parts, counts = [], np.empty((len(texts), 2), dtype=np.uint32)
    eot = np.array([encoding.eot_token], dtype="<u2")
    for i, text in enumerate(texts):
        try:
            ids = encoding.encode_to_numpy(text, disallowed_special=())  # encode_ordinary without a Python list
        except UnicodeEncodeError:  # half of a surrogate pair, which encode_ordinary replaces
            ids = np.array(encoding.encode_ordinary(text))
        parts += [ids.astype("<u2"), eot]
        counts[i] = len(ids) + 1, len(text.encode("utf-8", "replace"))
    return counts, np.concatenate(parts).tobytes()


def _records(documents: list[Document], counts: np.ndarray) -> np.ndarray:
    records = np.empty(len(documents), dtype=RECORD)
    records["tokens"], records["bytes"] = counts.T
    records["log_prob"] = [np.nan if document.log_prob is None else document.log_prob for document in documents]
    return records


def _begin_work(encoding: "tiktoken.Encoding") -> None:
    """Make this process a worker: Ctrl-C is for the first process, and where that one dies, so does this."""
    global _encoding
    _encoding = encoding
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _work(texts: list[str]) -> tuple[np.ndarray, bytes]:
    return encode_texts(texts, _encoding)
