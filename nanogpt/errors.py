"""An error as one sentence for whoever can mend it."""

import errno

NO_PERMISSION = "there is no permission to write or read here; choose a folder of your own"
ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again (a run: with --resume)",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EFBIG: "the file would be larger than this system allows; choose another place",
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EROFS: "this place is read-only; choose a folder of your own",
}


def sentence(error: Exception) -> str:
    """Our own messages as they are, the system's with the file and a way out."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    return f"{error.filename or 'writing'}: {ADVICE.get(error.errno, f'{error.strerror}; check the path')}"
