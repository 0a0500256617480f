"""Copies of clips with every pixel outside the sector at 0, written without loss and read back."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.pool.disk import owner_only
from sectoraug.reading.clips import family_of
from sectoraug.workbench.jobs.kept import KeptSector, kept_sector
from sectoraug.workbench.jobs.masked_dicom import write_dicom
from sectoraug.workbench.run.manifest import Entry
from sectoraug.workbench.run.out_folder import removed, whole_file
from sectoraug.workbench.run.sources import Source

Frames = Iterator[NDArray[np.uint8]]


@dataclass(frozen=True)
class MaskClip:
    """The job of `sectoraug apply`: a clip of `masks` copied to `folder`, black outside its sector.

    Fails closed: without a good sector, or where what was written reads back otherwise, nothing is kept, nor
    is what an earlier run wrote by another mask.
    """

    masks: str
    folder: str
    quality_at_least: float
    reviewed_only: bool = False

    def __call__(self, source: Source, sha256: str) -> list[Entry]:
        path, shelf = Path(source.path), f"clips/{sha256[:2]}"
        for copy in Path(self.folder, shelf).glob(f"{sha256}*"):
            removed(Path(self.folder), copy)
        kept = self._kept(source, sha256)
        suffix, write = _writer_for(path, kept.frames)
        name = f"{shelf}/{sha256}{suffix}"
        masked = _Masked(path, kept)
        with whole_file(Path(self.folder), name) as part:
            write(part, masked, path, kept.frames)
            if masked.n != kept.frames:
                raise ValueError(
                    f"it holds {masked.n} frames and its mask was made from {kept.frames}: it is truncated "
                    "or changed; run `sectoraug masks` over this file again."
                )
            _read_back(part, masked)
        entry = _of_whole_clip(kept.entries)
        by = kept.digest
        return [replace(entry, source=source.name, visit=source.visit, file=name, blackened_by=by)]

    def is_outdated(self, source: Source, ends: list[Entry]) -> bool:
        """Whether a copy is gone, or was made by other sectors than those that are kept now."""
        end = ends[0]
        if end.file is None or end.sha256 is None:
            return False
        with suppress(ValueError, OSError, TypeError):  # what cannot be read is not known to be the same
            is_same = self._kept(source, end.sha256).digest == end.blackened_by
            return not (is_same and Path(self.folder, end.file).exists())
        return True

    def _kept(self, source: Source, sha256: str) -> KeptSector:
        return kept_sector(Path(self.masks), sha256, source.name, self.quality_at_least, self.reviewed_only)


def _of_whole_clip(entries: list[Entry]) -> Entry:
    """The entry of the worst part, as one of the clip."""
    worst = min(entries, key=lambda entry: entry.quality or 0.0)
    if worst.part is None:
        return worst
    return replace(worst, part=None, spans=None, geometry=None, note=f"by the masks of {len(entries)} parts")


class _Masked(Iterator[NDArray[np.uint8]]):
    """Frames of a clip, 0 outside the sector, and a digest of those given out."""

    def __init__(self, path: Path, kept: KeptSector) -> None:
        # As many as `masks` saw, though the header may say another number.
        self.frames = sa.iter_clip(path, miscounted="keep")
        self.kept = kept
        self.digest = hashlib.sha256()
        self.n = 0
        """How many were given out."""

    def __next__(self) -> NDArray[np.uint8]:
        frame = next(self.frames)
        sector = self.kept.at(self.n)
        self.n += 1
        if frame.shape[:2] != sector.shape:
            raise ValueError(
                f"a frame is {frame.shape[0]} x {frame.shape[1]} pixels but the mask "
                f"{sector.shape[0]} x {sector.shape[1]}; expected the same: run "
                "`sectoraug masks` over this file again."
            )
        masked: NDArray[np.uint8] = frame * (sector if frame.ndim == 2 else sector[:, :, None])
        _add(self.digest, masked)
        return masked


def _read_back(part: Path, written: _Masked) -> None:
    digest = hashlib.sha256()
    for index, frame in enumerate(sa.iter_clip(part)):
        sector = written.kept.at(index)
        if frame.shape[:2] != sector.shape or frame[sector == 0].any():
            raise ValueError("its copy is not black outside the sector when read back; it was removed.")
        _add(digest, frame)
    if digest.digest() != written.digest.digest():
        raise ValueError("its copy differs from what was written when read back; it was removed.")


def _add(digest: hashlib._Hash, frame: NDArray[np.uint8]) -> None:
    digest.update(repr(frame.shape).encode())
    digest.update(frame.data)


def _writer_for(path: Path, n: int) -> tuple[str, Callable[[Path, Frames, Path, int], None]]:
    family = family_of(path)
    if family == "images":
        return ("", _write_folder) if n > 1 else (".png", _write_still)
    return {
        "dicom": (".dcm", write_dicom),
        "video": (".mkv", _write_video),
        "nifti": (".nii.gz", _write_nifti),
        "arrays": (".npz", _write_npz),
    }[str(family)]


def _write_still(part: Path, frames: Frames, path: Path, n: int) -> None:
    for frame in frames:
        part.write_bytes(_png(frame))


def _write_folder(part: Path, frames: Frames, path: Path, n: int) -> None:
    part.unlink()
    part.mkdir(mode=0o700)
    for index, frame in enumerate(frames):
        with open(part / f"{index:06d}.png", "wb", opener=owner_only) as file:
            file.write(_png(frame))


def _png(frame: NDArray[np.uint8]) -> bytes:
    stored = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", stored)[1].tobytes()


def _write_npz(part: Path, frames: Frames, path: Path, n: int) -> None:
    first = next(frames)
    header = {"descr": "|u1", "fortran_order": False, "shape": (n, *first.shape)}
    with (
        ZipFile(part, "w", ZIP_DEFLATED) as archive,
        archive.open("frames.npy", "w", force_zip64=True) as file,
    ):
        npy.write_array_header_1_0(file, header)
        file.write(first.data)
        for frame in frames:
            file.write(frame.data)


def _write_video(part: Path, frames: Frames, path: Path, n: int) -> None:
    """FFV1 in Matroska: lossless, with checksums; no sound and none of the source's metadata."""
    import av

    with av.open(str(path.absolute()), options={"protocol_whitelist": "file"}) as source:
        rate = source.streams.video[0].average_rate or Fraction(25)
    first = next(frames)
    grey = first.ndim == 2
    with av.open(str(part), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate, options={"level": "3", "slicecrc": "1"})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "gray" if grey else "bgr0"
        frame: NDArray[np.uint8] | None = first
        while frame is not None:
            picture = av.VideoFrame.from_ndarray(frame, format="gray" if grey else "rgb24")
            container.mux(stream.encode(picture))
            frame = next(frames, None)
        container.mux(stream.encode(None))


def _write_nifti(part: Path, frames: Frames, path: Path, n: int) -> None:
    """The header and the affine stay; header extensions, which may hold anything, do not."""
    from sectoraug.reading.nifti import read_header

    header = read_header(path).header.copy()
    header.extensions.clear()
    header.set_data_offset(0)  # right behind the header
    with gzip.open(part, "wb") as file:
        header.write_to(file)
        for frame in frames:  # x runs fastest, time slowest, red, green and blue together
            file.write(frame.data)
