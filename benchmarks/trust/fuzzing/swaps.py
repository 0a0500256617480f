"""The swap and all that does it: NumPy, torch, and the plugs of four hosts."""

from __future__ import annotations

from functools import cache
from typing import Any

import albumentations as A
import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

import sectoraug as sa
import sectoraug.plugins.monai
import sectoraug.plugins.torchvision
from fuzzing.confined import Broken
from fuzzing.values import INSIDE_DONOR, LIGHT, Rng, call, donor, pixels, same, sector, size

_DTYPES = (np.uint8, np.float32)
_SIZES = ((9, 12), (12, 9), (16, 16))
_RESIZE = ("raise", "stretch", "pad")


def check_swapped(new: Any, image: np.ndarray, inside: np.ndarray, mixed: bool = True) -> None:
    """Inside the image bit for bit, outside no donor's sector; (…, H, W) with `inside` (H, W)."""
    if not isinstance(new, np.ndarray) or new.dtype != image.dtype or new.shape != image.shape:
        raise Broken("another shape or dtype than that of the image")
    if not mixed:
        if new.tobytes() != image.tobytes():
            raise Broken("an image that is not mixed has changed")
        return
    if new[..., inside].tobytes() != image[..., inside].tobytes():
        raise Broken("inside the sector the output differs from the input")
    outside = new[..., ~inside]
    if outside.size and outside.max() > LIGHT:
        which = "a donor's sector" if (outside > INSIDE_DONOR - 1).any() else "the image's own background"
        raise Broken(f"{which} is seen outside the sector")


def _array(value: torch.Tensor) -> np.ndarray:
    """NumPy knows no bfloat16, which float32 holds exactly."""
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


@cache
def a_pool(dtype: Any, channels: int, place: int) -> sa.BackgroundPool:
    rng = np.random.default_rng([channels, place, dtype == np.uint8])
    shape = _SIZES[place] if channels == 0 else (*_SIZES[place], channels)
    images, sectors = zip(*(donor(rng, shape, dtype) for _ in range(5)), strict=True)
    return sa.BackgroundPool.from_arrays(list(images), list(sectors))


def drawn_pool(rng: Rng) -> tuple[sa.BackgroundPool, tuple[int, ...], Any]:
    """A pool, and the shape and dtype of an image that it fits, mostly."""
    dtype, channels, place = _DTYPES[rng.integers(2)], int(rng.choice([0, 3])), int(rng.integers(3))
    where = place if rng.random() < 0.8 else int(rng.integers(3))
    return a_pool(dtype, channels, place), (*_SIZES[where], *([channels] if channels else [])), dtype


def swap(rng: Rng) -> str:
    side, dtype = size(rng), _DTYPES[rng.integers(2)]
    shape = (*side, *[[], [1], [3]][rng.integers(3)])
    inside = sector(rng, side)

    def check(new: Any, image: Any, inside: Any, background: Any, **rest: Any) -> None:
        plane = np.asarray(inside).reshape(image.shape[:2]) != 0
        if new.dtype != image.dtype or new.shape != image.shape:
            raise Broken("another shape or dtype than that of the image")
        if (
            new[plane].tobytes() != image[plane].tobytes()
            or new[~plane].tobytes() != background[~plane].tobytes()
        ):
            raise Broken("not the image inside and the background outside")

    image, background = pixels(rng, shape, dtype), pixels(rng, shape, dtype, 0, LIGHT)
    if rng.random() < 0.2:
        out = np.empty_like(image)
        new = sa.swap_background(image, inside, background, out=out)
        check(new, image, inside, background)
        return "done" if new is out else "an output of its own."
    return call(rng, sa.swap_background, image, inside, background, check=check)


def fills(rng: Rng) -> str:
    side, dtype = size(rng), _DTYPES[rng.integers(2)]
    shape = (*side, *[[], [1], [3]][rng.integers(3)])
    image, inside = pixels(rng, shape, dtype), sector(rng, side)
    name = ("black", "blur", "dim", "noise", "shuffle", "blacken_sector")[rng.integers(6)]
    function = getattr(sa.fills, name) if name != "blacken_sector" else sa.blacken_sector
    more: tuple[Any, ...] = (
        (np.random.default_rng(int(rng.integers(99))),) if name in ("noise", "shuffle") else ()
    )

    def check(new: Any, image: Any, inside: Any = None, *rest: Any) -> None:
        if new.dtype != image.dtype or new.shape != image.shape:
            raise Broken("another shape or dtype than that of the image")
        if name == "blacken_sector" and new[np.asarray(inside).reshape(image.shape[:2]) != 0].any():
            raise Broken("the sector is not black")

    if name == "black":
        return call(rng, function, image, check=check)
    return call(rng, function, image, *(() if name == "noise" else (inside,)), *more, check=check)


def albumentations(rng: Rng) -> str:
    pool, shape, dtype = drawn_pool(rng)
    p, match = float(rng.choice([0, 0.5, 1])), bool(rng.integers(2))
    clip = rng.random() < 0.2
    image = pixels(rng, (3, *shape) if clip else shape, dtype)
    inside = sector(rng, shape[:2])
    options = {"p": p, "missing": str(rng.choice(["raise", "skip"]))}
    kind = int(rng.integers(6))
    if kind < 3:
        transform = sa.BackMix(pool, match_sector=match, resize=str(rng.choice(_RESIZE)), **options)
    elif kind == 3:
        transform = sa.BlackBackground(**options)
    else:
        others = (sa.NoiseBackground, sa.ShuffleBackground, sa.DimBackground, sa.BlurBackground)
        transform = others[rng.integers(4)](**options)
    chain = A.Compose([transform]) if rng.random() < 0.7 else transform
    key = "images" if clip else "image"

    def run(image: Any, sectors: Any) -> Any:
        return chain(**{key: image}, mask=sectors, backmixed=False)

    def check(out: Any, image: Any, sectors: Any) -> None:
        mixed = out["backmixed"]
        if mixed is False:
            if not same(image, out[key]) or not same(sectors, out["mask"]):
                raise Broken("an image that is not mixed has changed")
            return
        before, new = _planes_last(image, clip), _planes_last(out[key], clip)
        plane = np.asarray(out["mask"]).reshape(before.shape[-2:]) != 0
        if kind < 4:
            check_swapped(new, before, plane, bool(mixed))
        elif new.shape != before.shape or new[..., plane].tobytes() != before[..., plane].tobytes():
            raise Broken("inside the sector the output differs from the input")
        if p == 0:
            raise Broken("p=0 is no identity")

    return call(rng, run, image, inside, check=check)


def _planes_last(value: np.ndarray, is_clip: bool) -> np.ndarray:
    """([T, ]H, W[, C]) with H and W as the last axes."""
    return np.moveaxis(value, -1, 0) if value.ndim == 3 + is_clip else value


def batch(rng: Rng) -> str:
    n, side = int(rng.integers(1, 5)), size(rng)
    dtype = _DTYPES[rng.integers(2)]
    channels, frames = int(rng.choice([1, 3])), [[], [2]][rng.integers(2)]
    images = torch.from_numpy(pixels(rng, (n, channels, *frames, *side), dtype))
    inside = np.stack([sector(rng, side, 0) for _ in range(n)])
    made = [donor(rng, side, dtype) for _ in range(n)]
    donors = torch.from_numpy(np.stack([image for image, _ in made]))
    donors = donors.view(n, 1, *[1] * len(frames), *side).expand(images.shape).clone()
    theirs = torch.from_numpy(np.stack([each for _, each in made]).astype(bool))
    index = torch.from_numpy(rng.integers(-1, n, n))

    def check(out: Any, images: Any, sectors: Any, *rest: Any, **named: Any) -> None:
        if images.dtype not in (torch.uint8, torch.float32) or rest[0] is not donors or rest[1] is not theirs:
            return  # a donor that moved without its sector is seen
        for new, image, plane, mixed in zip(out[0], images, sectors, out[1].tolist(), strict=True):
            check_swapped(_array(new), _array(image), _array(plane).reshape(image.shape[-2:]) != 0, mixed)

    if rng.random() < 0.5:
        return call(
            rng,
            sa.swap_background_batch,
            images,
            torch.from_numpy(inside),
            donors,
            theirs,
            donor_index=index,
            check=check,
        )
    op = sa.RandomBackMix(p=float(rng.choice([0, 0.5, 1])))

    def run(images: Any, sectors: Any) -> Any:
        return op(images, sectors), op.mixed

    return call(rng, run, images, torch.from_numpy(inside), check=None)


def kornia_pool(rng: Rng) -> str:
    pool, shape, dtype = drawn_pool(rng)
    n = int(rng.integers(1, 4))
    channels = shape[2] if len(shape) > 2 else 1
    images = torch.from_numpy(pixels(rng, (n, channels, *shape[:2]), dtype))
    inside = torch.from_numpy(np.stack([sector(rng, shape[:2], 0) for _ in range(n)]))
    op = sa.RandomBackMix(p=float(rng.choice([0, 0.5, 1])), pool=pool)

    def run(images: Any, sectors: Any) -> Any:
        return op(images, sectors), op.mixed

    def check(out: Any, images: Any, sectors: Any) -> None:
        if images.ndim != out[0].ndim or len(images) != len(sectors):
            return  # one image without the batch's axis comes back with it
        for new, image, plane, mixed in zip(out[0], images, sectors, out[1].tolist(), strict=True):
            check_swapped(_array(new), _array(image), _array(plane).reshape(image.shape[-2:]) != 0, mixed)

    return call(rng, run, images, inside, check=check)


def torchvision(rng: Rng) -> str:
    pool, shape, dtype = drawn_pool(rng)
    channels = shape[2] if len(shape) > 2 else 1
    image = torch.from_numpy(pixels(rng, (channels, *shape[:2]), dtype))
    transform = sectoraug.plugins.torchvision.BackMix(
        pool,
        p=float(rng.choice([0, 0.5, 1])),
        missing=str(rng.choice(["raise", "skip"])),
        match_sector=bool(rng.integers(2)),
        resize=str(rng.choice(_RESIZE)),
    )
    train = v2.Compose([v2.RandomHorizontalFlip(0.0), transform])

    def run(image: Any, sectors: Any) -> Any:
        whole = {"image": tv_tensors.Image(image), "sector": tv_tensors.Mask(sectors), "backmixed": False}
        return train(whole)

    def check(out: Any, image: Any, sectors: Any) -> None:
        if not isinstance(image, torch.Tensor) or image.ndim != 3:
            return  # tv_tensors make an image of it, of another shape
        plane = _array(out["sector"]).reshape(image.shape[-2:]) != 0
        check_swapped(_array(out["image"]), _array(image), plane, bool(out["backmixed"]))

    return call(rng, run, image, torch.from_numpy(sector(rng, shape[:2], 1)), check=check, p=0.2)


def monai(rng: Rng) -> str:
    pool, shape, dtype = drawn_pool(rng)
    channels = shape[2] if len(shape) > 2 else 1
    image = pixels(rng, (channels, *shape[:2]), dtype)
    transform = sectoraug.plugins.monai.BackMixd(
        "image",
        pool,
        prob=float(rng.choice([0, 0.5, 1])),
        missing=str(rng.choice(["raise", "skip"])),
        match_sector=bool(rng.integers(2)),
        resize=str(rng.choice(_RESIZE)),
    )

    def run(image: Any, sectors: Any) -> Any:
        return transform({"image": image, "sector": sectors})

    def check(out: Any, image: Any, sectors: Any) -> None:
        if isinstance(image, np.ndarray) and isinstance(out["sector"], np.ndarray):
            plane = out["sector"].reshape(image.shape[-2:]) != 0
            check_swapped(np.asarray(out["image"]), image, plane, bool(out["backmixed"]))

    return call(rng, run, image, sector(rng, shape[:2]), check=check)
