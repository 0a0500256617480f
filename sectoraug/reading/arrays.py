"""Clips in NPY (memory-mapped) and NPZ files, frame by frame."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sectoraug.reading.sizes import check_size

_NAMES = ("frames", "clip", "images", "video")


def open_clip(path: Path) -> tuple[int | None, Iterator[NDArray[Any]]]:
    """The number of frames, and the frames."""
    if path.suffix.lower() == ".npz":
        return _open_archive(path)
    with _reading(path):
        clip: NDArray[Any] = npy.open_memmap(path, mode="r")
    clip = clip.reshape(_with_time(clip.shape))
    _check_frames(path, clip.shape, clip.dtype)
    return len(clip), (np.array(frame) for frame in clip)


def _open_archive(path: Path) -> tuple[int, Iterator[NDArray[Any]]]:
    with _reading(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    known = [f"{name}.npy" for name in _NAMES if f"{name}.npy" in names] or names
    if len(known) != 1:
        raise ValueError(
            f"{path} holds {len(names)} arrays; expected one, or one of the names {', '.join(_NAMES)}: save "
            "the frames alone."
        )
    with _reading(path), zipfile.ZipFile(path) as archive, archive.open(known[0]) as file:
        shape, in_fortran_order, dtype = _array_header(file)
    if in_fortran_order or dtype.hasobject:
        raise ValueError(
            f"{path} holds {'pickled objects' if dtype.hasobject else 'Fortran order'}; expected pixels in C "
            "order: save np.ascontiguousarray(frames)."
        )
    shape = _with_time(shape)
    _check_frames(path, shape, dtype)
    return shape[0], _from_archive(path, known[0], shape, dtype)


def _from_archive(
    path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    size = int(np.prod(shape[1:], dtype=object)) * dtype.itemsize
    with _reading(path), zipfile.ZipFile(path) as archive, archive.open(name) as file:
        _array_header(file)
        for _ in range(shape[0]):
            yield np.frombuffer(file.read(size), dtype).reshape(shape[1:]).copy()


def _check_frames(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) < 3 or min(shape) < 0:
        raise ValueError(
            f"{path} has shape {shape}; expected (T, H, W), (T, H, W, 3), or (H, W) of a still: save pixels."
        )
    bytes_a_pixel = int(np.prod(shape[3:], dtype=object)) * dtype.itemsize
    check_size(path, shape[1], shape[2], bytes_a_pixel)


def _array_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    return (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)


def _with_time(shape: tuple[int, ...]) -> tuple[int, ...]:
    # No clip is three pixels wide: (H, W, 3) is a colour still.
    return (1, *shape) if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3) else shape


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy's, zipfile's and those of each way to pack
        raise OSError(
            f"{path} is no readable array of frames ({type(error).__name__}): it is truncated, encrypted or "
            "pickled; save (T, H, W) or (T, H, W, 3) with np.save or np.savez."
        ) from error
