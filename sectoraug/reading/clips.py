"""Reading ultrasound clips of any common kind, whole or frame by frame.

Each family of files has a module of its own that yields frames as they are stored; here they are found by
content and name, held to one size and to 8 bits, and counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.reading.levels import as_shown
from sectoraug.reading.sizes import check_is_file

READ_LIMIT_BYTES = 4 << 30
"""What `read_clip` fills at most; `iter_clip` has no such limit, as it keeps one frame."""

FAMILIES = {
    "dicom": (".dcm", ".dicom"),
    "video": (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpeg", ".mpg", ".gif"),
    "nifti": (".nii", ".nii.gz"),
    "arrays": (".npy", ".npz"),
    "images": (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"),
}
"""The suffixes of each family. A DICOM file is known by its content, whatever its name."""


MISCOUNTED = ("raise", "keep")


def read_clip(
    path: str | Path,
    grey: bool = False,
    *,
    limit_bytes: int = READ_LIMIT_BYTES,
    scale: float | None = None,
    miscounted: str = "raise",
) -> NDArray[np.uint8]:
    """Read a clip or a still into memory.

    Args:
        path: DICOM (grey, palette, RGB or YBR; JPEG, JPEG-LS, JPEG 2000, RLE), video (mp4, mov, avi, mkv,
            webm, wmv, mpeg, gif), NIfTI with time last, NPY or NPZ of (T, H, W[, 3]), PNG, JPEG, BMP, TIFF
            or WEBP, or a folder of such stills in the order of their names. All of 8 bits, but for video
            of up to 12, which comes as players show it.
        grey: turn colour into luminance.
        limit_bytes: the largest array to fill.
        scale: for NPY, NPZ and NIfTI of floats, the grey levels that a value of 1 stands for: 255 where
            pixels are in 0..1. Levels are rounded.
        miscounted: "raise" where a file holds more frames than its header says, or fewer, as when it is
            cut; "keep" those that are there, whole ones only, with a UserWarning.

    Returns:
        (T, H, W) or (T, H, W, 3) uint8; colour is RGB. A still has T = 1.

    Raises:
        OSError: the file cannot be decoded, is truncated, or holds no frame.
        ValueError: it is no ultrasound clip of 8 bits, or larger than `limit_bytes`, or its frames than 32 Mi
            pixels, or floats leave 0..255 when scaled.
        ImportError: the extra that reads it (`dicom`, `video`, `nifti`) is not installed.

    Examples:
        >>> import sectoraug as sa
        >>> from pydicom import examples
        >>> sa.read_clip(examples.get_path("ybr_color"), grey=True).shape
        (30, 240, 320)
    """
    promised, frames = open_clip(path, grey, scale=scale, miscounted=miscounted)
    clip = np.empty(0, np.uint8)
    n = 0
    for frame in frames:
        if max(promised or 0, n + 1) * frame.nbytes > limit_bytes:
            raise ValueError(
                f"{path} takes more than {limit_bytes / 2**30:g} GiB when decoded; expected less for an "
                "array: use iter_clip, which keeps one frame, or raise limit_bytes."
            )
        if n == 0:
            clip = np.empty((max(promised or 16, 1), *frame.shape), np.uint8)
        elif n == len(clip):  # in place: a list of frames and their stack would take the memory twice
            clip.resize((n + n // 4 + 1, *frame.shape), refcheck=False)
        clip[n] = frame
        n += 1
    if n < len(clip):
        clip.resize((n, *clip.shape[1:]), refcheck=False)
    return clip


def iter_clip(
    path: str | Path, grey: bool = False, *, scale: float | None = None, miscounted: str = "raise"
) -> Iterator[NDArray[np.uint8]]:
    """Read a clip frame by frame, in memory that does not grow with its length.

    Args and errors are those of `read_clip`; a damaged file may raise after some frames.

    Yields:
        (H, W) or (H, W, 3) uint8, all of one shape; colour is RGB.

    Examples:
        >>> import sectoraug as sa
        >>> from pydicom import examples
        >>> sum(1 for frame in sa.iter_clip(examples.get_path("ybr_color")))
        30
    """
    return open_clip(path, grey, scale=scale, miscounted=miscounted)[1]


def open_clip(
    path: str | Path, grey: bool = False, *, scale: float | None = None, miscounted: str = "raise"
) -> tuple[int | None, Iterator[NDArray[np.uint8]]]:
    """The number of frames that the file's header promises, None where it says nothing, and `iter_clip`."""
    checks.choice(miscounted, MISCOUNTED, "miscounted")
    path = Path(path)
    check_is_file(path)
    family = family_of(path)
    if family is None:
        known = ", ".join(suffix for suffixes in FAMILIES.values() for suffix in suffixes)
        raise ValueError(
            f"{path} is no clip that can be read; expected DICOM, a folder of stills, or {known}."
        )
    promised, frames = import_module(f"sectoraug.reading.{family}").open_clip(path)
    frames = (as_shown(path, frame, scale) for frame in frames)
    return promised, _counted(path, promised, _held_to_one_shape(path, frames, grey), miscounted)


def to_grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The luminance of an RGB frame; (H, W) frames pass through."""
    if frame.ndim == 2:
        return frame
    checks.picture(frame, "frame")
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def family_of(path: Path) -> str | None:
    """The family that reads `path`, a key of FAMILIES, or None: by content for DICOM, else by name."""
    if path.is_dir():
        return "images"
    if path.exists() and not path.is_file():
        return None  # opening a FIFO waits for ever
    if is_dicom(path):
        return "dicom"
    name = path.name.lower()
    return next((family for family, suffixes in FAMILIES.items() if name.endswith(suffixes)), None)


def is_dicom(path: Path) -> bool:
    """Whether the file carries the mark of DICOM, or begins as those of old archives that lack it."""
    with open(path, "rb") as file:
        start = file.read(132)
    # Group 2 or 8, a low element, then a value representation or a short length.
    begins = start[:2] in (b"\x02\0", b"\x08\0") and start[3:4] == b"\0"
    return start[128:] == b"DICM" or (begins and (start[4:6].isalpha() or start[6:8] == b"\0\0"))


def _held_to_one_shape(
    path: Path, frames: Iterator[NDArray[np.uint8]], grey: bool
) -> Iterator[NDArray[np.uint8]]:
    shape = None
    for frame in frames:
        if shape is None:
            shape = frame.shape
        elif frame.shape != shape:
            raise ValueError(
                f"{path} changes from frames of shape {shape} to {frame.shape}; expected one: split the clip."
            )
        yield to_grey(frame) if grey else frame


def _counted(
    path: Path, promised: int | None, frames: Iterator[NDArray[np.uint8]], miscounted: str
) -> Iterator[NDArray[np.uint8]]:
    n, is_flat = 0, True
    for frame in frames:
        n += 1
        is_flat = is_flat and bool((frame == frame.flat[0]).all())
        yield frame
    if n == 0:
        raise OSError(f"{path} holds no frames; expected at least one: copy the file again, or leave it out.")
    if promised is not None and n != promised:
        said = f"{path} holds {n} whole frames where its header says {promised}"
        if miscounted == "raise":
            raise OSError(
                f"{said}; expected as many: copy it again, as it may be truncated, or take what is there: "
                'miscounted="keep", or `sectoraug masks --miscounted keep`.'
            )
        warnings.warn(f"{said}.", stacklevel=3)
    if is_flat:
        warnings.warn(
            f"{path} decodes to flat frames, each of one level; expected a picture: look at it in a viewer.",
            stacklevel=3,
        )
