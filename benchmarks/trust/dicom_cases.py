"""DICOM files with pixels in every place where they can hide, in every way of storing frames."""

from __future__ import annotations

from pathlib import Path

from dicom_encodings import ENCODINGS, header, write
from hiding_places import OUTSIDE, PLACES, WRONG_KIND, marker_of
from pydicom.dataset import Dataset

Case = tuple[Path, str, tuple[str, ...]]
"""A file, how its frames are stored, and the places where something hides."""


_EACH_KIND = (
    "implicit little endian",
    "explicit little endian",
    "explicit big endian",
    "deflated",
    "JPEG, grey",
)
"""Data sets of the other encodings are written as one of these."""


def write_cases(folder: Path, full: bool) -> list[Case]:
    """All encodings with all places: one place a file if `full`.

    Else as few files as hold them all for one encoding of each kind, and for the others the fullest of these.
    """
    folder.mkdir()
    cases: list[Case] = []
    for name, encoding in ENCODINGS.items():
        places = [*PLACES, *([] if encoding.syntax == "implicit" else WRONG_KIND), *OUTSIDE]
        if encoding.syntax == "big endian":
            places.remove("compressed icon")  # there is no such thing
        sets = [(place,) for place in places] if full else _without_clashes(places)
        for chosen in sets if full or name in _EACH_KIND else sets[:1]:
            path = folder / f"{len(cases)}.dcm"
            data = header()
            for place in chosen:
                _put(data, place)
            if "preamble" in chosen:
                data.preamble = b"II*\0" + marker_of("preamble") + bytes(60)
            if "file's own header" in chosen:
                data.file_meta.PrivateInformationCreatorUID = "1.2.3"
                data.file_meta.PrivateInformation = marker_of("file's own header")
            write(path, encoding, data, marker_of("coded frames") if "coded frames" in chosen else b"")
            cases.append((path, name, chosen))
    return cases


def _without_clashes(places: list[str]) -> list[tuple[str, ...]]:
    """As few files as hold all places, none of which takes another one's element."""
    sets: list[tuple[set[int], list[str]]] = []
    for place in places:
        probe = header()
        before = set(probe.keys())
        _put(probe, place)
        taken = {int(tag) for tag in set(probe.keys()) - before if tag.element > 0xFF or not tag.is_private}
        for tags, chosen in sets:
            if not tags & taken:
                tags |= taken
                chosen.append(place)
                break
        else:
            sets.append((taken, [place]))
    return [tuple(chosen) for _, chosen in sets]


def _put(data: Dataset, place: str) -> None:
    if place not in OUTSIDE:
        (PLACES | WRONG_KIND)[place](data, marker_of(place))
