"""Pixels outside the sector in what `sectoraug apply` writes: in frames, as GDCM reads them, and elsewhere.

Every way of storing frames is combined with every place where DICOM can hold other pixels, one combination a
file. Without `--full` a file holds many places, and most encodings have those of one file only.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zlib
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import gdcm
import numpy as np
from dicom_cases import Case, write_cases
from dicom_encodings import BIRTH, ENCODINGS, GREY, NAME, SECTOR
from dicom_refused import REFUSED
from fuzzing.in_process import command
from hiding_places import OUTSIDE, PLACES, WRONG_KIND, forms_of, marker_of
from promises import Promise, main
from pydicom import dcmread

_RUN = 12  # as many bytes of the source's background do not occur by chance
_BINARY = {"OB", "OW", "OF", "OD", "OL", "OV", "UN"}
_FRAMES = 0x7FE00010


def check(full: bool) -> list[Promise]:
    """Promises of masked DICOM copies."""
    with tempfile.TemporaryDirectory() as folder:
        cases = write_cases(Path(folder, "clips"), full)
        refused = {
            name: make(Path(folder, "clips", f"refused{k}.dcm"))
            for k, (name, make) in enumerate(REFUSED.items())
        }
        for path in (*(path for path, _, _ in cases), *refused.values()):
            _draw(Path(folder, "drawn", f"{path.stem}.png"))
        copies = _apply(Path(folder))
        return [
            *_of_frames(cases, copies),
            *_of_hiding_places(cases, copies),
            _of_headers(cases, copies),
            _of_refused(refused, copies),
        ]


def _draw(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), SECTOR * np.uint8(255))


def _apply(folder: Path) -> dict[str, dict[str, Any]]:
    """What `masks --drawn` and `apply` say of each file, by its name, and where its copy is."""
    clips, masks, copies = (folder / name for name in ("clips", "masks", "copies"))
    command("masks", clips, "--out", masks, "--drawn", folder / "drawn", "--no-progress")
    command("apply", masks, clips, "--out", copies, "--no-progress")
    found: dict[str, dict[str, Any]] = {}
    for line in (copies / "manifest.jsonl").read_text().splitlines():
        entry = json.loads(line)
        entry["copy"] = copies / entry["file"] if entry["file"] else None
        found[entry["source"]] = entry
    written = {path for path in copies.rglob("*") if path.is_file() and path.name[0] != "."}
    assert written == {e["copy"] for e in found.values() if e["copy"]} | {copies / "manifest.jsonl"}
    return found


def _of_frames(cases: list[Case], copies: dict[str, dict[str, Any]]) -> list[Promise]:
    outside, inside, exact, missing = 0, 0, 0, 0
    read = 0
    for path, name, _ in cases:
        copy = copies[path.name]["copy"]
        if copy is None:
            missing += 1
            continue
        frames, photometric, others = by_gdcm(copy)
        read += len(frames)
        is_black = photometric in ("MONOCHROME2", "RGB") and not frames[:, ~SECTOR].any() and not others
        outside += not is_black
        shown = ENCODINGS[name].shown
        if shown is not None:
            exact += 1
            inside += not np.array_equal(frames[:, SECTOR], shown[:, SECTOR])
    tried = f"{len(cases)} files in {len(ENCODINGS)} encodings, {read} frames of their copies read by GDCM"
    return [
        Promise(
            "No pixel of a masked copy is other than black outside the sector, as another reader than its "
            "writer sees it, and GDCM finds no overlay or icon",
            tried,
            f"{outside} files with such a pixel, {missing} without a copy",
            not outside and not missing,
        ),
        Promise(
            "Inside the sector a copy holds what was stored",
            f"{exact} of these files, whose encoding loses nothing, against the frames they were made from",
            f"{inside} differ",
            not inside and bool(exact),
        ),
    ]


def by_gdcm(path: Path) -> tuple[np.ndarray, str, int]:
    """Frames (T, H, W[, 3]), their photometric interpretation, and how many overlays and icons there are."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read(), path
    image = reader.GetImage()
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    grey = image.GetPixelFormat().GetSamplesPerPixel() == 1
    frames = np.frombuffer(raw, np.uint8).reshape(-1, *SECTOR.shape, *(() if grey else (3,)))
    others = image.GetNumberOfOverlays() + image.GetNumberOfCurves() + (not image.GetIconImage().IsEmpty())
    return frames, image.GetPhotometricInterpretation().GetString().strip(), others


def _of_hiding_places(cases: list[Case], copies: dict[str, dict[str, Any]]) -> list[Promise]:
    leaks: set[str] = set()
    binary: set[str] = set()
    backgrounds = planted = 0
    background = _runs_of_background()
    for path, _, places in cases:
        copy = copies[path.name]["copy"]
        if copy is None:
            continue
        source, written = _with_inflated(path.read_bytes()), _with_inflated(copy.read_bytes())
        for place in places:
            assert _holds(source, place), (place, path)
            planted += 1
            if _holds(written, place):
                leaks.add(place)
        backgrounds += any(run in written for run in background)
        binary |= {str(tag) for tag in _binary_elements(dcmread(copy))}
    return [
        Promise(
            "No place of a DICOM file that can hold pixels keeps any, at any depth",
            f"64 bytes planted {planted} times in {len(PLACES) + len(WRONG_KIND) + len(OUTSIDE)} places of "
            f"{len(cases)} files; the copies' bytes searched, in all byte orders, as text, and inflated",
            f"kept in {len(leaks)} places" + (f": {', '.join(sorted(leaks))}" if leaks else ""),
            not leaks and bool(planted),
        ),
        Promise(
            "No binary element is left but the frames, and nothing of the source's background",
            f"{len(cases)} copies walked, their bytes searched for {len(background)} runs of {_RUN} pixels",
            f"{len(binary)} binary elements, {backgrounds} copies with such a run",
            not binary and not backgrounds,
        ),
    ]


def _holds(data: bytes, place: str) -> bool:
    # Half of it, since text and numbers may be cut or wrapped.
    return any(form[:32] in data or form[-32:] in data for form in forms_of(marker_of(place)))


def _with_inflated(data: bytes) -> bytes:
    """The bytes, and what comes of each place where a deflated stream can begin."""
    found = [data]
    for mark in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", data):
        head = 47 if data[mark.start()] == 0x1F else 15
        try:
            found.append(zlib.decompressobj(head).decompress(data[mark.start() :], 1 << 22))
        except zlib.error:
            continue
    # A deflated data set has no mark: it begins behind the file's own header.
    at = data.find(b"1.2.840.10008.1.2.1.99")
    for start in range(at, min(at + 400, len(data))) if at > 0 else ():
        try:
            more = zlib.decompressobj(-15).decompress(data[start:], 1 << 22)
        except zlib.error:
            continue
        if len(more) > 1000:
            found.append(more)
    return b"".join(found)


def _runs_of_background() -> list[bytes]:
    heads = [(y, x) for y in range(0, SECTOR.shape[0], 4) for x in range(0, SECTOR.shape[1] - _RUN, _RUN)]
    free = [(y, x) for y, x in heads if not SECTOR[y, x : x + _RUN].any()]
    return [frame[y, x : x + _RUN].tobytes() for frame in GREY for y, x in free]


def _binary_elements(data: Any) -> list[Any]:
    found = []
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                found += _binary_elements(item)
        elif element.VR in _BINARY and element.tag != _FRAMES:
            found.append(element.tag)
    return found


def _of_headers(cases: list[Case], copies: dict[str, dict[str, Any]]) -> Promise:
    said = 0
    for path, _, _ in cases:
        copy = copies[path.name]["copy"]
        if copy is not None:
            data = dcmread(copy, stop_before_pixels=True)
            kept = (str(data.PatientName), data.PatientBirthDate) == (NAME, BIRTH)
            said += kept and "not de-identified" in data.DerivationDescription
            said -= data.get("BurnedInAnnotation") == "NO" or "PatientIdentityRemoved" in data
    return Promise(
        "No promise: a copy's header keeps names and dates, and says that it is not de-identified",
        f"{len(cases)} copies",
        f"{said} say so",
        said == len(cases),
    )


def _of_refused(refused: dict[str, Path], copies: dict[str, dict[str, Any]]) -> Promise:
    bad = []
    for name, path in refused.items():
        entry = copies[path.name]
        sentence = entry["error"] or ""
        is_sentence = sentence.endswith(".") and "\n" not in sentence and "unexpected" not in sentence
        if entry["copy"] is not None or not is_sentence or NAME in sentence:
            bad.append(name)
    return Promise(
        "What cannot be masked for certain is refused in a sentence, and leaves no file",
        f"{len(refused)} kinds: {', '.join(refused)}",
        f"{len(refused) - len(bad)} refused so" + (f"; not so: {', '.join(bad)}" if bad else ""),
        not bad,
    )


if __name__ == "__main__":
    main(__doc__, check)
