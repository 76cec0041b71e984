"""The Hugging Face hub: texts streamed through `datasets`, single files through `huggingface_hub`.

HF_ENDPOINT names another hub, HF_HOME another cache, HF_HUB_OFFLINE=1 keeps off the network. Whatever
goes wrong out there comes back as an OSError of one sentence.
"""

import contextlib
import errno
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

ANSWER_WITHIN = 5.0  # seconds that a hub may take to say that it is there
CONVERTED = "refs/convert/parquet"  # the branch on which the hub keeps plain files of every data set
READ_AGAIN = 3  # times that a broken connection is taken up again, READ_PAUSE seconds apart
READ_PAUSE = 1.0
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # what a learner does is nobody else's business


def hub_address() -> str:
    """Where the hub is: HF_ENDPOINT, or the public one."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def is_reachable() -> bool:
    """Whether the hub answers at all; False at once where HF_HUB_OFFLINE says so."""
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "on", "true", "yes"):
        return False
    try:
        request = urllib.request.Request(hub_address(), method="HEAD", headers={"User-Agent": "nanogpt"})
        urllib.request.urlopen(request, timeout=ANSWER_WITHIN).close()
    except urllib.error.HTTPError:
        return True  # it answered, if only to say no to this page
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: the address is none
        return False
    return True


def stream_dataset(repo: str, config: str | None = None, split: str = "train") -> "datasets.IterableDataset":
    """Open a data set of the hub for reading row by row; nothing is kept on the disk.

    The repository's plain files are taken; where it holds a loading script instead, which `datasets`
    no longer runs, the hub's own conversion of it is. Raises OSError where the hub is not there, or not
    that data set on it.
    """
    _require_hub(repo)
    import datasets
    from huggingface_hub.utils import logging

    datasets.config.STREAMING_READ_MAX_RETRIES = READ_AGAIN
    datasets.config.STREAMING_READ_RETRY_INTERVAL = READ_PAUSE
    datasets.logging.set_verbosity_error()
    logging.set_verbosity_error()  # a connection that is taken up again is no news
    with errors_in_a_sentence(repo):
        try:
            return datasets.load_dataset(repo, config, split=split, streaming=True)
        except RuntimeError as error:
            if "scripts" not in str(error):
                raise
            return datasets.load_dataset(repo, config, split=split, streaming=True, revision=CONVERTED)


def download(repo: str, filename: str) -> Path:
    """One file of a model repository, from the cache or the hub, and held to the hash that the hub gives it.

    Raises OSError where it can't be had, FileNotFoundError where the repository has no such file.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()
    here = is_reachable()
    with errors_in_a_sentence(repo, filename):
        path = Path(hf_hub_download(repo, filename, local_files_only=not here))
    _require_hash(path, repo, filename)
    return path


def _require_hash(path: Path, repo: str, filename: str) -> None:
    """A large file in the cache carries its SHA-256 as the name of what the link leads to."""
    blob = path.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return  # small files are named by git's hash of them, and Windows may have no links
    with blob.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == blob.name:
            return
    blob.unlink()
    path.unlink(missing_ok=True)
    raise OSError(
        f"{filename} of {repo} did not arrive as the hub announced it (SHA-256 differs) and was thrown away; "
        "run the same command again to download it anew"
    )


def _require_hub(repo: str) -> None:
    if not is_reachable():
        raise ConnectionError(
            f"{repo} is on the hub, and {hub_address()} can't be reached from here; go online (and unset "
            "HF_HUB_OFFLINE), or work with pydocs, stories or files of your own, which need no download"
        )


@contextlib.contextmanager
def errors_in_a_sentence(repo: str, filename: str | None = None) -> Iterator[None]:
    """Turn whatever the hub's clients raise into an OSError of one sentence."""
    from huggingface_hub import errors

    what = f"{filename} of {repo}" if filename else repo
    try:
        yield
    except errors.GatedRepoError as error:
        raise PermissionError(
            f"{repo} asks for an account; accept its terms on the hub and run 'hf auth login'"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise ConnectionError(
            f"{what} is not in the cache, and the hub at {hub_address()} can't be reached; go online and run this again"
        ) from error
    except (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise FileNotFoundError(f"the hub at {hub_address()} has no {what}; check its name there") from error
    except FileNotFoundError as error:  # how `datasets` says the same
        raise FileNotFoundError(f"the hub at {hub_address()} has no {what} with plain files; check it there") from error
    except Exception as error:  # theirs are of many kinds: of httpx, fsspec, pyarrow and their own
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise  # the system's own sentence says it better
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConnectionError(
            f"{what} could not be read from the hub ({reason}); run the same command again, and it goes on from there"
        ) from error
