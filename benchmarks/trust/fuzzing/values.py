"""Valid arguments, and the ways in which one goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fuzzing.confined import Broken

Rng = np.random.Generator
INSIDE_DONOR, LIGHT = 251, 100
"""Grey of a donor's sector, never to be seen; backgrounds are at most LIGHT, images brighter."""


def size(rng: Rng, least: int = 2, most: int = 20) -> tuple[int, int]:
    height, width = rng.integers(least, most, 2).tolist()
    return height, width


def sector(rng: Rng, shape: tuple[int, int], kind: int | None = None) -> np.ndarray:
    """A binary sector with some inside and some outside: a box or dots; bool, 0/1 or 0/255."""
    plane = np.zeros(shape, bool)
    if rng.random() < 0.5:
        top, left = (rng.integers(0, side) for side in shape)
        plane[top : top + rng.integers(1, shape[0] + 1), left : left + rng.integers(1, shape[1] + 1)] = True
    else:
        plane[rng.random(shape) < rng.random()] = True
    spot = tuple(rng.integers(0, side) for side in shape)
    plane[spot] = True
    plane[(spot[0] + 1) % shape[0], spot[1]] = False
    kind = int(rng.integers(3)) if kind is None else kind
    return plane if kind == 0 else plane.astype(np.uint8) * (1 if kind == 1 else 255)


def pixels(
    rng: Rng, shape: tuple[int, ...], dtype: Any = np.uint8, low: int = 101, high: int = 200
) -> np.ndarray:
    found = rng.integers(low, high + 1, shape)
    return found.astype(np.uint8) if dtype == np.uint8 else found.astype(np.float32) + np.float32(0.25)


def donor(rng: Rng, shape: tuple[int, ...], dtype: Any = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """An image that is INSIDE_DONOR in its sector and 1..LIGHT around it, and that sector."""
    inside = sector(rng, shape[:2])
    image = pixels(rng, shape, dtype, 1, LIGHT - 1)
    image[inside != 0] = INSIDE_DONOR
    return image, inside


def broken(rng: Rng, value: Any) -> Any:
    """A value that goes wrong in some way, or is right in an unusual one."""
    if isinstance(value, np.ndarray) and rng.random() < 0.8:
        return _broken_array(rng, value)
    if isinstance(value, torch.Tensor) and rng.random() < 0.8:
        return _broken_tensor(rng, value)
    if isinstance(value, list) and value and rng.random() < 0.8:
        found = list(value)
        k = int(rng.integers(len(found)))
        found[k : k + 1] = [] if rng.random() < 0.3 else [broken(rng, found[k])]
        return found
    if isinstance(value, (int, float)) and rng.random() < 0.7:
        return _one(rng, [-1, 0, 1, 2, 3, 0.5, -0.5, 1.5, 1e308, float("nan"), float("inf"), -value, True])
    return _one(rng, _JUNK)(rng)


def _one(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


_JUNK: list[Callable[[Rng], Any]] = [
    lambda rng: None,
    lambda rng: "mask",
    lambda rng: b"mask",
    lambda rng: -1,
    lambda rng: 0.5,
    lambda rng: True,
    lambda rng: float("nan"),
    lambda rng: [],
    lambda rng: (),
    lambda rng: {},
    lambda rng: [[1, 2], [3]],
    lambda rng: {"a": 1},
    lambda rng: object(),
    lambda rng: np.zeros(0),
    lambda rng: np.array(3),
    lambda rng: np.zeros((3, 4)),
    lambda rng: np.array([None, "a"], object),
    lambda rng: np.array(["a", "b"]),
    lambda rng: np.zeros((2, 3, 4, 5, 6), np.uint8),
    lambda rng: torch.zeros(3),
    lambda rng: torch.zeros(2, 3, 4, 5, dtype=torch.uint8),
]
_DTYPES = [
    np.bool_,
    np.uint8,
    np.int8,
    np.uint16,
    np.int64,
    np.float16,
    np.float32,
    np.float64,
    np.complex64,
    object,
]


def _broken_array(rng: Rng, value: np.ndarray) -> np.ndarray:
    way = int(rng.integers(12))
    axis = int(rng.integers(max(value.ndim, 1)))
    with np.errstate(all="ignore"):
        if way == 0 and value.dtype.kind in "biufc":
            return value.astype(_one(rng, _DTYPES))
        if way == 1:
            return np.expand_dims(value, int(rng.integers(value.ndim + 1)))
        if way == 2 and value.ndim:
            return np.delete(value, 0, axis)
        if way == 3 and value.ndim:
            return value[(slice(None),) * axis + (slice(0, 0),)]
        if way == 4:
            return value.T
        if way == 5 and value.ndim:
            return np.flip(value, axis)
        if way == 6 and value.dtype.kind == "f" and value.size:
            found = value.copy()
            found.flat[int(rng.integers(value.size))] = _one(rng, [np.nan, np.inf, -np.inf, 1e38, -0.0])
            return found
        if way == 7:
            found = value.copy()
            found.flags.writeable = False
            return found
        if way == 8:
            return np.zeros_like(value)
        if way == 9:
            return np.full_like(value, 1)
        if way == 10 and value.ndim:
            return np.concatenate([value, value], axis)
    return np.asfortranarray(value)


def _broken_tensor(rng: Rng, value: torch.Tensor) -> Any:
    way = int(rng.integers(9))
    if way == 0:
        kinds = (torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64)
        return value.to(_one(rng, kinds))
    if way == 1:
        return value.unsqueeze(int(rng.integers(value.ndim + 1)))
    if way == 2 and value.ndim:
        return value[1:]
    if way == 3 and value.ndim:
        return value[..., :0]
    if way == 4:
        return value.numpy() if value.dtype != torch.bfloat16 else value
    if way == 5 and value.ndim > 1:
        return value.transpose(-1, -2)
    if way == 6 and value.is_floating_point() and value.numel():
        found = value.clone(memory_format=torch.contiguous_format)
        found.view(-1)[int(rng.integers(found.numel()))] = _one(rng, [float("nan"), float("inf"), -1.0, 1e30])
        return found
    if way == 7:
        return value * 0
    return value[0] if value.ndim and len(value) else value


def call(
    rng: Rng,
    function: Callable[..., Any],
    *given: Any,
    check: Callable[..., None] | None = None,
    p: float = 0.4,
    **named: Any,
) -> str:
    """Call with valid arguments, of which sometimes one or two are broken; none may be written to.

    `check` gets the result and the arguments as they were given, if none was broken in its value.
    """
    arguments, names = list(given), dict(named)
    keys = [*range(len(arguments)), *names]
    is_broken = bool(keys) and rng.random() < p
    if is_broken:
        for _ in range(int(rng.integers(1, 3))):
            key = _one(rng, keys)
            if isinstance(key, int):
                arguments[key] = broken(rng, arguments[key])
            else:
                names[key] = broken(rng, names[key])
    before = [_copy(value) for value in (*arguments, *names.values())]
    result = function(*arguments, **names)
    for old, new in zip(before, (*arguments, *names.values()), strict=True):
        if not same(old, new):
            raise Broken("an input was written to")
    if check is not None:
        check(result, *arguments, **names)
    return "done"


def _copy(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, (list, tuple)):
        return [_copy(each) for each in value]
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return value


def same(one: Any, other: Any) -> bool:
    """Bit for bit, NaN included."""
    if isinstance(one, torch.Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and _bytes(one) == _bytes(other)
    if isinstance(one, np.ndarray):
        if one.dtype == object:
            return one.shape == other.shape
        return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return True


def _bytes(value: torch.Tensor) -> bytes:
    return (
        value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""
    )
