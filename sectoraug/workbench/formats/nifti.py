"""NIfTI masks through nibabel: (X, Y), or for a NIfTI clip on its own grid, so that viewers lay it over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.clips import family_of
from sectoraug.reading.nifti import read_header
from sectoraug.reading.sizes import TooLarge, check_size
from sectoraug.workbench.formats.clip_mask import ClipMask, only_sector

SUFFIX = ".nii.gz"
_MOST_BYTES = 1 << 29


def write(mask: ClipMask, part: Path) -> None:
    """Write uint8 of 0/1, every frame of a NIfTI clip alike."""
    nibabel = _nibabel()
    clip, pixels, affine = mask.clip, mask.sector.T, np.eye(4)
    if clip is not None and family_of(clip) == "nifti":
        image = read_header(clip)
        axes = len(image.shape) - 2
        pixels = np.broadcast_to(pixels.reshape(*pixels.shape, *[1] * axes), image.shape)
        affine = image.affine
    whole = nibabel.Nifti1Image(np.ascontiguousarray(pixels), affine, dtype=np.uint8)
    part.write_bytes(_compressed(whole.to_bytes()))


def read(path: Path, clip: Path) -> NDArray[np.uint8]:
    """The sector as (H, W) uint8 of 0/1: (X, Y) in the file, or alike in all frames."""
    image = read_header(path)
    if len(image.shape) < 2 or sum(side != 1 for side in image.shape[2:]) > 1:
        raise ValueError(
            f"{path} has shape {image.shape}; expected a mask of (X, Y) or (X, Y, T): it is a volume over "
            "time, choose a slice."
        )
    if clip.is_file() and family_of(clip) == "nifti" and not _alike(image.affine, read_header(clip).affine):
        raise ValueError(
            f"{path} has another affine than its clip; expected one grid: resample the mask onto the clip."
        )
    _check_whole(path, image.shape, image.get_data_dtype())
    try:
        pixels = np.asarray(image.dataobj)
    except Exception as error:  # nibabel's own, gzip's and zlib's
        raise OSError(
            f"{path} is no readable NIfTI mask ({type(error).__name__}): it is truncated or damaged; export "
            "it again."
        ) from error
    if pixels.dtype.names:
        raise ValueError(f"{path} is a colour image; expected a mask of 0 and one label: export labels.")
    frames = pixels.reshape(*pixels.shape[:2], -1)
    return only_sector(np.transpose(frames, (2, 1, 0)), path)


def _check_whole(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise TooLarge for a mask that would fill the memory: gzip packs a thousand frames into one."""
    check_size(path, shape[1], shape[0], dtype.itemsize)
    n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if n_bytes > _MOST_BYTES:
        raise TooLarge(
            f"{path} takes {n_bytes / 2**30:.1f} GiB; expected at most {_MOST_BYTES >> 20} MiB, as it is "
            "taken whole: save the mask of one frame, (X, Y)."
        )


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-3))


def _compressed(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content, 6, mtime=0)


def _nibabel() -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise ImportError('NIfTI masks need nibabel: pip install "sectoraug[nifti]".') from error
    return nibabel
