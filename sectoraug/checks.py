"""Every argument error, in one sentence each: what came, what was expected, what to do.

Messages name types, dtypes and shapes, never pixel values, so that they can be logged.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

UINT8 = np.dtype(np.uint8)
FLOAT32 = np.dtype(np.float32)
BOOL = np.dtype(np.bool_)

MOST_CHANNELS = 8
"""More are rows of an image whose channels come first."""

_SHOWN = 80  # characters of a value that a sentence quotes

Image = NDArray[Any]
"""(H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32."""
Sector = NDArray[Any]
"""(H, W), bool or uint8; nonzero inside the ultrasound sector."""


def describe(value: object) -> str:
    """Name a value by type, dtype and shape, without its contents."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"{'an' if value.dtype.kind in 'iO' else 'a'} {value.dtype} array of shape {value.shape}"
    module, name = type(value).__module__.split(".")[0], type(value).__name__
    name = name if module == "builtins" else f"{module}.{name}"
    shape = getattr(value, "shape", None)
    named = f"{'an' if name[0] in 'aeio' else 'a'} {name}"
    return named if shape is None else f"{named} of shape {tuple(shape)}"


def shown(value: object) -> str:
    """A short value as it is written, and any other one by type, dtype and shape."""
    written = repr(value) if isinstance(value, (str, int, float, tuple, list, type(None))) else ""
    return written if written and len(written) <= _SHOWN and "\n" not in written else describe(value)


def image(value: Any, name: str = "image") -> None:
    """Raise unless `value` is one image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or finite float32."""
    _pixels(value, name)
    shape = value.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] > MOST_CHANNELS) or 0 in shape:
        raise ValueError(
            f"{name} is {describe(value)}; expected (H, W) or (H, W, C) of 1 to {MOST_CHANNELS} channels: "
            "move the channels last, and give clips as (T, H, W) or (T, H, W, C) under `images`."
        )


def picture(value: Any, name: str = "image") -> None:
    """Raise unless `value` is an image to look at: grey, (H, W) or (H, W, 1), or RGB, (H, W, 3)."""
    image(value, name)
    if value.ndim == 3 and value.shape[2] not in (1, 3):
        raise ValueError(
            f"{name} is {describe(value)}; expected grey, (H, W) or (H, W, 1), or RGB, (H, W, 3): leave out "
            "alpha, and choose the channels that show the picture."
        )


def clip(value: Any, name: str = "images") -> None:
    """Raise unless `value` is a clip: (T, H, W) or (T, H, W, C), 1 to 8 channels, uint8 or finite float32."""
    _pixels(value, name)
    shape = value.shape
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] > MOST_CHANNELS) or 0 in shape:
        raise ValueError(
            f"{name} is {describe(value)}; expected (T, H, W) or (T, H, W, C) of 1 to {MOST_CHANNELS} "
            "channels: stack the frames first and move the channels last."
        )


def _pixels(value: Any, name: str) -> None:
    if not isinstance(value, np.ndarray):
        raise TypeError(
            f"{name} is {describe(value)}; expected a NumPy array with channels last: "
            "convert it first, and keep the swap before any conversion to tensors."
        )
    if value.dtype == UINT8:
        return
    if value.dtype != FLOAT32:
        raise TypeError(
            f"{name} is {describe(value)}; expected uint8 or float32: "
            f"use {name}.astype(np.float32), or scale it to 0..255 and use astype(np.uint8)."
        )
    if not np.isfinite(value).all():
        raise ValueError(
            f"{name} is {describe(value)} with NaN or infinite pixels; expected finite ones: "
            "find the file or the transform that makes them, or use np.nan_to_num."
        )


def sector(
    value: Any,
    size: tuple[int, ...] | None = None,
    name: str = "sector",
    else_do: str = "leave this image out",
) -> NDArray[np.uint8]:
    """Return `value` as contiguous uint8 bytes, nonzero inside; raise if it is no usable sector.

    `size` is the (H, W) of the image that it belongs to, `else_do` what helps where it has none.
    """
    inside = sector_or_none(value, size, name)
    if inside is None:
        came = "None" if value is None else f"{describe(value)} of zeros"
        raise ValueError(
            f"{name} is missing ({came}); expected a sector, nonzero inside: "
            f"give this image a sector, or {else_do}."
        )
    return inside


def sector_or_none(
    value: Any, size: tuple[int, ...] | None = None, name: str = "sector"
) -> NDArray[np.uint8] | None:
    """Like `sector`, but None for a missing one: None itself, or all zero."""
    if value is None:
        return None
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} is {describe(value)}; expected a NumPy array (H, W): convert it first.")
    if value.ndim == 3 and value.shape[2] == 1:
        value = value[:, :, 0]
    if value.ndim != 2:
        raise ValueError(
            f"{name} is {describe(value)}; expected one (H, W) plane: "
            f"use {name}[..., 0] if all planes are alike."
        )
    if size is not None and value.shape != size:
        raise ValueError(
            f"{name} is {describe(value)} but its image is {size[0]} x {size[1]} pixels; "
            "expected the same height and width: send the sector through the same resize, crop and "
            "rotation as the image (as `mask`, or named in additional_targets)."
        )
    if value.dtype == BOOL:
        inside = value.view(np.uint8)
        if not inside.flags.c_contiguous:
            inside = np.ascontiguousarray(inside)
        return inside if inside.size and cv2.hasNonZero(inside) else None
    if value.dtype != UINT8:
        raise TypeError(
            f"{name} is {describe(value)}; expected bool, or uint8 of 0/1 or 0/255: use {name} > 0."
        )
    highest = cv2.norm(value, cv2.NORM_INF) if value.size else 0
    if highest == 0:
        return None
    # As signed bytes 255 is -1, so one pass tells; comparing makes an array.
    if highest != 1 and cv2.minMaxLoc(value.view(np.int8))[:2] not in ((-1, 0), (-1, -1)):
        raise ValueError(
            f"{name} is {describe(value)} with values other than 0/1 or 0/255; expected a binary "
            f"sector: resize and rotate it with nearest-neighbour interpolation, or use {name} > 127."
        )
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


def alike(value: Any, reference: NDArray[Any], name: str, what: str = "the image") -> None:
    """Raise unless `value` has the dtype and shape of `reference`."""
    if isinstance(value, np.ndarray):
        if value.dtype == reference.dtype and value.shape == reference.shape:
            return
        came, expected = describe(value), describe(reference)
        raise ValueError(
            f"{name} is {came} but {what} is {expected}; expected the same dtype and shape: "
            f"convert {name} with astype, a channel axis, or a resize."
        )
    raise TypeError(
        f"{name} is {describe(value)}; expected a NumPy array like {what} ({describe(reference)})."
    )


def output(value: Any, image: NDArray[Any], *inputs: NDArray[Any]) -> None:
    """Raise unless `value` is a writable, contiguous array like `image`, apart from all inputs."""
    alike(value, image, "out")
    flags = value.flags
    if not (flags.c_contiguous and flags.writeable):
        raise ValueError(
            f"out is {describe(value)}, strided or read-only; expected a writable C-contiguous array: "
            "use np.empty_like(image)."
        )
    for array in (image, *inputs):
        both_own = value.base is None and array.base is None
        if value is array or (not both_own and np.may_share_memory(value, array)):
            raise ValueError(
                "out shares memory with an input; expected memory of its own, as inputs are never "
                "written to: use np.empty_like(image)."
            )


def choice(value: Any, options: tuple[str, ...], name: str) -> str:
    """Return `value` if it is one of `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} is {shown(value)}; expected one of {', '.join(map(repr, options))}.")
    return str(value)


def flag(value: Any, name: str) -> bool:
    """Return `value` as bool if it is True or False, also as NumPy's or as 1 or 0."""
    if isinstance(value, (int, np.bool_)) and value in (0, 1):
        return bool(value)
    raise TypeError(f"{name} is {shown(value)}; expected True or False.")


def key(value: Any, name: str) -> str:
    """Return `value` if it is a text, as the keys of samples are."""
    if isinstance(value, str):
        return value
    raise TypeError(f'{name} is {shown(value)}; expected the name of an entry, such as "mask".')


def number(value: Any, low: float, high: float, name: str) -> float:
    """Return `value` as float if it is a real number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {describe(value)}; expected a number in [{low:g}, {high:g}].")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; expected a number in [{low:g}, {high:g}].")
    return float(value)


def size(value: Any, name: str = "size") -> tuple[int, int]:
    """Return `value` as (height, width) if it is two whole numbers above 0."""
    is_row = isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim == 1)
    pair = tuple(value) if is_row else ()
    if len(pair) != 2 or not all(isinstance(side, (int, np.integer)) and side > 0 for side in pair):
        raise ValueError(f"{name} is {shown(value)}; expected (height, width) in pixels, such as (112, 112).")
    return int(pair[0]), int(pair[1])


def whole(value: Any, low: int, high: int, name: str) -> int:
    """Return `value` as int if it is a whole number in [low, high]."""
    number(value, low, high, name)
    if value != int(value):
        raise ValueError(f"{name} is {value}; expected a whole number in [{low}, {high}].")
    return int(value)


def seed(value: Any) -> int:
    """Return `value` as int if it can seed draws."""
    return whole(value, 0, 2**63 - 1, "seed")


def generator(rng: Any) -> None:
    """Raise unless `rng` is NumPy's source of draws."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {describe(rng)}; expected a generator: use np.random.default_rng(seed).")
