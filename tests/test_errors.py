import errno

from nanogpt.errors import sentence


def test_our_own_messages_stay_as_they_are():
    assert sentence(ValueError("n_embd=385 is odd; choose 384")) == "n_embd=385 is odd; choose 384"
    assert (
        sentence(FileNotFoundError("runs/first is not there; train it first"))
        == "runs/first is not there; train it first"
    )


def test_the_systems_get_the_file_and_a_way_out():
    assert sentence(OSError(errno.ENOSPC, "No space", "a.bin")).startswith("a.bin: the disk is full; free some space")
    assert sentence(PermissionError(errno.EACCES, "Denied", "/x")).endswith("choose a folder of your own")
    assert sentence(OSError(errno.EISDIR, "Is a directory", "b")) == "b: Is a directory; check the path"
