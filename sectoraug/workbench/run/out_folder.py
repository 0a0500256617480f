"""A folder that one run writes to: for its owner only, every file whole or absent."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sectoraug.pool.disk import DiskError, must_be_new, synced, under_way, writing_to

_PARTS = ".part"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder against a second run, and clear what a killed one left half-written."""
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise ImportError('the workbench needs filelock: pip install "sectoraug[workbench]".') from error
    if os.path.lexists(folder) and not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is no folder; expected a new one or a run's: choose another --out."
        )
    with writing_to(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise BlockingIOError(
                f"another run is writing to {folder}; expected to be the only one: wait for it, or choose "
                "another --out."
            ) from None
        try:
            shutil.rmtree(folder / _PARTS, ignore_errors=True)
            (folder / _PARTS).mkdir(mode=0o700)
            yield
        finally:
            shutil.rmtree(folder / _PARTS, ignore_errors=True)
            lock.release()


@contextmanager
def whole_file(folder: Path, name: str) -> Iterator[Path]:
    """Yield a temporary path for `folder / name`, and move it there when the block ends well.

    The path is an empty file, readable by its owner only; the block may replace it by a folder.
    """
    part = folder / _PARTS / f"{secrets.token_hex(8)}-{Path(name).name}"
    target = folder / name
    with writing_to(folder):
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield part
            for path in part.iterdir() if part.is_dir() else (part,):
                synced(path)
            for parent in reversed(target.relative_to(folder).parents):
                (folder / parent).mkdir(mode=0o700, exist_ok=True)
            if target.is_dir():
                removed(folder, target)
            part.replace(target)
        finally:
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)


def removed(folder: Path, target: Path) -> None:
    """Remove a file or folder of this one, at once or not at all; DiskError where the system refuses."""
    part = folder / _PARTS / secrets.token_hex(8)
    try:
        with suppress(FileNotFoundError):  # another process was faster
            target.rename(part)
    except OSError as error:
        raise DiskError(
            f"{target} cannot be removed ({error.strerror}); expected to be allowed to: close what shows it, "
            "and start the same again."
        ) from error
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


@contextmanager
def whole_lone_file(file: Path) -> Iterator[Path]:
    """Yield a temporary path beside `file`, its owner's only, and move it there when the block ends well."""
    with _beside(file) as folder:
        part = folder / file.name
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        synced(part)
        part.replace(file)
        synced(file.absolute().parent)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder for `whole_file`, and move it to `folder` when the block ends well.

    `folder` must be new, or empty, by then.
    """
    with _beside(folder) as beside:
        part = beside / folder.name
        (part / _PARTS).mkdir(mode=0o700, parents=True)
        part.chmod(0o700)
        yield part
        (part / _PARTS).rmdir()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        must_be_new(folder)
        part.rename(folder)
        synced(folder.absolute().parent)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    if not target.absolute().parent.is_dir():
        raise NotADirectoryError(
            f"{target.parent} is no folder; expected one that the file can be written to."
        )
    with writing_to(target), under_way(target) as part:
        yield part
