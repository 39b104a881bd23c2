"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a new file to write bytes to; at the end, it replaces the file at `path`, unless an exception is raised.

    Until then, it is a separate file in the same folder. Missing folders are created. The permissions of a file that is
    replaced stay the same, and symbolic links to it still work. A pipe or a device, such as /dev/stdout, is written to
    directly. Raises OSError if `path` cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "poem.txt"
    ...     _ = path.write_text("a poem")
    ...     with suppress(KeyboardInterrupt), atomic_write(path) as file:
    ...         _ = file.write(b"a better")
    ...         raise KeyboardInterrupt
    ...     path.read_text(), len(os.listdir(folder))
    ('a poem', 1)
    """
    try:
        old = os.stat(path)
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(path, "wb") as file:  # raises IsADirectoryError for a folder
            yield file
        return
    if old is not None:
        open(path, "r+b").close()  # raises PermissionError for a write-protected file, which os.replace would replace
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{secrets.token_hex(8)}.part")  # short, since the target's name may be long
    try:
        with open(beside, "xb") as file:
            if old is not None:
                if hasattr(os, "chown"):
                    with suppress(PermissionError):  # only root may change a file's owner
                        os.chown(beside, old.st_uid, old.st_gid)
                shutil.copymode(target, beside)
            yield file
        os.replace(beside, target)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == os.fspath(beside):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise
