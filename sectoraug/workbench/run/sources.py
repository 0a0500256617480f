"""Which clips there are: files and folders, walked once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sectoraug.reading.clips import family_of
from sectoraug.reading.images import stills_of
from sectoraug.reading.sizes import check_is_file


@dataclass(frozen=True)
class Source:
    """A clip of an archive."""

    path: str
    """Absolute."""
    name: str
    """Relative to the input that it was found in, with forward slashes."""
    visit: str
    """Changes with the path, the size and the time of change."""
    drawn: str | None = None
    """Absolute path of a mask that a person drew for it, or of a COCO file of many."""
    drawn_as: str = ""
    """What the mask is called in a COCO file."""


def find_sources(
    inputs: Iterable[Path], leave_out: Iterable[Path] = (), folders_are_clips: bool = False
) -> tuple[list[Source], int]:
    """All clips under `inputs` in the order of their names, and the number of other files.

    Args:
        inputs: files, taken whatever they are, and folders, searched for what looks like a clip. Hidden
            files, DICOMDIR and links to folders are passed over.
        leave_out: folders that are not entered, as those that runs write to.
        folders_are_clips: take a folder of stills for one clip, and not each still for one.
    """
    sources: dict[str, Source] = {}
    others = 0
    shut = {_real(path) for path in leave_out}
    for given in inputs:
        top = given.absolute()
        if not top.exists():
            raise FileNotFoundError(f"{given} does not exist; expected a clip or a folder of clips.")
        check_is_file(top)
        for path in [top] if top.is_file() else _walk(top, shut, folders_are_clips):
            if top.is_file() or path.is_dir() or _may_be_clip(path):
                name = path.name if path == top else path.relative_to(top).as_posix()
                sources.setdefault(str(path), Source(str(path), name, visit_of(path)))
            else:
                others += 1
    return list(sources.values()), others


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes; for a folder, of the names and digests of its stills."""
    if path.is_dir():
        listing = "".join(f"{file.name} {sha256_of(file)}\n" for file in stills_of(path))
        return hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError where links go in a circle


def _may_be_clip(path: Path) -> bool:
    try:
        return path.is_file() and family_of(path) is not None
    except OSError:
        return True  # one that cannot be opened: its entry will say so


def _walk(top: Path, shut: set[Path], folders_are_clips: bool) -> Iterator[Path]:
    def stop(error: OSError) -> None:  # a folder passed over in silence would be clips lost
        raise error

    for place, folders, files in os.walk(top, onerror=stop):
        here = Path(place)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and _real(here / f) not in shut)
        if folders_are_clips and stills_of(here):
            yield here
            files = [file for file in files if family_of(here / file) != "images"]
        yield from (here / file for file in sorted(files) if not file.startswith(".") and file != "DICOMDIR")


def visit_of(path: Path) -> str:
    """A digest of a clip's path, size and time of change, of every still where it is a folder."""
    parts = [str(path)]
    for file in stills_of(path) if path.is_dir() else [path]:
        about = file.stat()
        parts.append(f"{file.name}\0{about.st_size}\0{about.st_mtime_ns}")
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def is_unchanged(path: Path, visit: str, sha256: str | None) -> bool:
    """Whether a clip is the one of that visit, or of those bytes."""
    return visit_of(path) == visit or sha256_of(path) == sha256
