import os
import subprocess
import sys

import pytest

from nanogpt.pydocs import pydocs


@pytest.mark.slow
def test_pydocs_is_real_text_and_has_no_doubles():
    documents = list(pydocs())
    assert len(documents) > 300
    assert sum(map(len, documents)) > 1_500_000
    assert len(set(documents)) == len(documents)
    assert any(d.startswith("module bisect\n") and "insort_right(a, x, lo=0" in d for d in documents)
    assert all(d == d.strip() + "\n" and "\t\n" not in d for d in documents[:50])


def read_pydocs_elsewhere(then: str, hash_seed: str = "0") -> str:
    code = f"import hashlib, sys; from nanogpt.pydocs import pydocs; text = ''.join(pydocs()); {then}"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout


@pytest.mark.slow
def test_pydocs_is_the_same_in_another_process():
    digest = "print(hashlib.sha256(text.encode()).hexdigest())"
    assert read_pydocs_elsewhere(digest, "1") == read_pydocs_elsewhere(digest, "2")


@pytest.mark.slow
def test_pydocs_imports_nothing_that_it_reads():
    assert read_pydocs_elsewhere("print('turtle' in text, 'turtle' in sys.modules)") == "True False\n"
