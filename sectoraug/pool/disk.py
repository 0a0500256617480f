"""Writing so that what has its name is whole: beside its place first. One sentence where a disk refuses."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class DiskError(OSError):
    """A disk that is full or read-only: the fault of nothing that was read."""


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """Turn what a full or read-only disk raises, by whichever library, into DiskError."""
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        if isinstance(error, DiskError) or number not in _REFUSALS:
            raise
        raise DiskError(
            f"{place} cannot be written to ({os.strerror(number)}); expected a disk with room: free some, or "
            "choose another place, and start the same again."
        ) from error


@contextmanager
def under_way(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`, its owner's only, that is gone when the block ends.

    What is finished in it is moved to `target`. Those that killed processes left for this target are cleared.
    """
    with writing_to(target):
        _clear_left(target)
        part, lock = _new_part(target)
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def write_all(file: IO[bytes], content: bytes) -> None:
    """Write to an unbuffered file; one call may take a part only, as where a disk is nearly full."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def append_all(file: IO[bytes], content: bytes) -> None:
    """Add to the end of an unbuffered file all of `content` or nothing."""
    end = os.fstat(file.fileno()).st_size
    try:
        write_all(file, content)
    except BaseException:
        file.truncate(end)
        raise


def must_be_new(target: Path) -> None:
    """Raise FileExistsError where another process has finished the same meanwhile."""
    if target.exists():
        raise FileExistsError(
            f"{target} has been written by another process meanwhile; expected it new: use that one, or "
            "choose another."
        )


def synced(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk and outlast a crash of the machine."""
    is_folder = path.is_dir()
    if is_folder and sys.platform == "win32":
        return  # it opens no folders
    file = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def owner_only(path: str, flags: int) -> int:
    """An `opener` for `open` whose new files only their owner can read."""
    return os.open(path, flags, 0o600)


def _new_part(target: Path) -> tuple[Path, int | None]:
    while True:
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        part.mkdir(mode=0o700)
        with suppress(BlockingIOError, FileNotFoundError):  # another process took it for one that was left
            lock = _lock(part)
            if part.is_dir():
                return part, lock


def _clear_left(target: Path) -> None:
    for part in target.parent.glob(f"{escape(target.name)}.????????.part"):
        with suppress(BlockingIOError, FileNotFoundError, NotADirectoryError):  # somebody works in it
            lock = _lock(part)
            if lock is not None:
                shutil.rmtree(part, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """Take the lock of a folder, which the system frees when the process ends; None where there are none.

    Raises BlockingIOError if another process holds it.
    """
    if sys.platform == "win32":
        return None
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if isinstance(error, BlockingIOError):
            raise
        return None  # a file system without locks
    return file
