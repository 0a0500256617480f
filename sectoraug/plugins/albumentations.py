"""BackMix and the baseline fills for albumentations 2.0.8 and AlbumentationsX alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from random import Random
from types import FrameType
from typing import Any

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks, fills
from sectoraug.draws import Draws
from sectoraug.pool import BackgroundPool, pool_named
from sectoraug.pool.example import background_for, checked_pool, common_sector
from sectoraug.pool.fitting import RESIZE
from sectoraug.swap import composite

try:  # AlbumentationsX from 2.5 on wants its own type back, where earlier ones take the dict
    from albumentations.core.transform_params import SampledParams as _SampledParams
except ImportError:
    _SampledParams = None

_ALBUMENTATIONSX = hasattr(A.BasicTransform, "sample_parameters")
_IMAGE_TARGETS = ("image", "images", "volume", "volumes")
_MASK_KEYS = ("mask", "masks", "mask3d", "masks3d")

Inside = NDArray[np.uint8]
Sampled = dict[str, Any]
Filler = Callable[[NDArray[Any]], NDArray[Any]]


class _BackgroundTransform(A.ImageOnlyTransform):  # type: ignore[misc]
    """Replaces what stands outside the sector; a subclass says by what.

    Images and sector are handled in one go (`apply_with_params`): a host's calls for one target at
    a time see no other target, and a replay must use the sector of the image that it is given.
    """

    def __init__(self, p: float, sector_key: str, missing: str) -> None:
        self.sector_key = sector_key
        self.missing = checks.choice(missing, ("raise", "skip"), "missing")
        self._draws = Draws()
        self._siblings_checked = sector_key in _MASK_KEYS
        super().__init__(p=checks.number(p, 0, 1, "p"))

    def _sample(self, bits: int, data: dict[str, Any]) -> Sampled:
        """What one call draws, as plain numbers: a replay saves it."""
        return {}

    def _visible(self, inside: Inside, sampled: Sampled) -> Inside | None:
        """The part of the sector to keep, or None to leave the example as it is."""
        return inside

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        """A function from each frame of an image or clip to its new background."""
        raise NotImplementedError

    def apply_with_params(self, params: Any, *args: Any, **data: Any) -> dict[str, Any]:
        sampled = getattr(params, "params", params)
        sizes = self._image_sizes(data)
        if not self._siblings_checked:
            self._check_siblings()
        inside = self._inside(data, sizes)
        visible = None if inside is None else self._visible(inside, sampled)
        if inside is None or visible is None:
            return data
        result = dict(data)
        for key in sizes:
            result[key] = self._swap(key, data[key], inside, visible, sampled)
        if "backmixed" in data:
            result["backmixed"] = True
        given = data[self.sector_key]
        if visible is not inside:
            result[self.sector_key] = given * (visible.reshape(given.shape) != 0)
        elif not given.flags.c_contiguous:
            # AlbumentationsX flips by negative strides, which torch refuses to collate.
            result[self.sector_key] = np.ascontiguousarray(given)
        return result

    def _swap(
        self, key: str, value: NDArray[Any], inside: Inside, visible: Inside, sampled: Sampled
    ) -> NDArray[Any]:
        out = np.empty(value.shape, value.dtype)
        if self._additional_targets.get(key, key) == "image":
            return composite(value, visible, self._filler(value, inside, sampled)(value), out)
        fill = self._filler(value[0], inside, sampled)
        for frame, target in zip(value, out, strict=True):
            composite(frame, visible, fill(frame), target)
        return out

    def _image_sizes(self, data: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        """The (H, W) of each image and clip that the call was given."""
        sizes = {}
        for key, value in data.items():
            target = self._additional_targets.get(key, key)
            if target not in _IMAGE_TARGETS or value is None:
                continue
            if target == "image":
                checks.image(value, key)
                sizes[key] = value.shape[:2]
            elif target == "volumes":
                raise ValueError(
                    f"{key} holds several volumes; expected `image`, `images` or `volume`: "
                    "use one call for each clip."
                )
            else:
                checks.clip(value, key)
                sizes[key] = value.shape[1:3]
        if not sizes:
            raise ValueError(
                f"{type(self).__name__} was given no image (keys: {sorted(data)}); expected `image`, "
                "or `images` for a clip."
            )
        if len(sizes) > 1 and len(set(sizes.values())) > 1:
            raise ValueError(
                f"the images have different sizes ({sizes}); expected one for all that share a "
                "sector: use one call for each."
            )
        return sizes

    def _inside(self, data: dict[str, Any], sizes: dict[str, tuple[int, ...]]) -> Inside | None:
        given = data.get(self.sector_key)
        size = next(iter(sizes.values()))
        if self.missing == "skip":
            return checks.sector_or_none(given, size, self.sector_key)
        if self.sector_key not in data:
            raise ValueError(
                f"{type(self).__name__} found no sector under {self.sector_key!r} (keys: {sorted(data)}); "
                f"expected one an image: call transform(image=image, {self.sector_key}=sector), or use "
                'missing="skip".'
            )
        return checks.sector(given, size, self.sector_key, 'use missing="skip" to leave it as it is')

    def _check_siblings(self) -> None:
        """Raise, at the first call, if a geometric transform before this one leaves the sector behind."""
        for sibling in _before(self, _enclosing_compose(self)):
            moves_masks = isinstance(sibling, A.DualTransform) and not isinstance(sibling, A.NoOp)
            if moves_masks and self.sector_key not in sibling.available_keys:
                raise ValueError(
                    f"{type(sibling).__name__} does not move the sector, which is under "
                    f"{self.sector_key!r}; expected the key to be declared: use "
                    f'A.Compose(..., additional_targets={{"{self.sector_key}": "mask"}}).'
                )
        self._siblings_checked = True

    # -- the two hosts' own hooks -----------------------------------------------------------------

    if _ALBUMENTATIONSX:

        def sample_parameters(self, params: Any, data: Any, sampling: Any, targets: Any = None) -> Any:
            # A transform is not told its Compose's seed; the owner of the stream it draws from is.
            owner = getattr(sampling.invocation.random_stream_reserver, "__self__", None)
            seeded = getattr(owner, "seed", None) is not None
            drawn = self._drawn(sampling.py_random, seeded, data)
            return drawn if _SampledParams is None else _SampledParams(params=drawn)

    else:

        def update_transform_params(self, params: Any, data: Any) -> Any:
            return params  # the host's own adds a shape that is not used, and needs an image

        def get_params_dependent_on_data(self, params: Any, data: Any) -> dict[str, Any]:
            return self._drawn(self.py_random, self.seed is not None, data)

    def _drawn(self, host: Random, host_is_seeded: bool, data: dict[str, Any]) -> Sampled:
        return self._sample(self._draws.bits(host, host_is_seeded), data)

    def _set_keys(self) -> None:
        super()._set_keys()
        self._available_keys |= {self.sector_key, "backmixed", "pool_index"}


class BackMix(_BackgroundTransform):
    """Swap an image's background for that of a random donor (BackMix, section 2.1).

    Put it after augmentation, which moves image and sector together, and before normalisation.

    Args:
        pool: a BackgroundPool of the images' dtype, channels and size, or the folder of a saved one.
        p: probability of the swap, in 0..1.
        sector_key: the key of the sector, (H, W) bool or uint8 of 0/1 or 0/255, nonzero inside. A key
            other than "mask" must be named in Compose(additional_targets={key: "mask"}).
        missing: "raise", or "skip" to leave an image without sector (absent, None or all zero) as it
            is (semi-supervised training, section 2.2).
        match_sector: crop the image to the donor's sector too, so that the outline gives less away;
            the sector returned is the visible intersection. If that is empty, the example is left.
        resize: "raise", "stretch" or "pad": what to do with donors of another size than the image.

    Call keys:
        image: (H, W), (H, W, 1) or (H, W, 3), uint8 or float32; or
        images: (T, H, W) or (T, H, W, C), a clip that shares one sector and one donor.
        backmixed: pass False; it comes back True where the background was swapped.
        pool_index: optional index of the image in the pool, so that it does not draw itself.

    Donors follow torch.manual_seed, or the seed of a seeded Compose in the main process, and differ
    across workers, epochs and ranks. Whether p applies at all is drawn by the host library.

    Examples:
        >>> import numpy as np, albumentations as A, sectoraug as sa
        >>> images = np.full((3, 4, 4), 7, np.uint8)
        >>> sectors = np.zeros((3, 4, 4), np.uint8); sectors[:, :2] = 1
        >>> pool = sa.BackgroundPool.from_arrays(images, sectors)
        >>> train = A.Compose([A.HorizontalFlip(), sa.BackMix(pool)])
        >>> out = train(image=images[0] + 1, mask=sectors[0], backmixed=False)
        >>> out["image"][:, 0].tolist(), out["backmixed"]
        ([8, 8, 7, 7], True)
    """

    def __init__(
        self,
        pool: BackgroundPool | str,
        p: float = 1.0,
        sector_key: str = "mask",
        missing: str = "raise",
        match_sector: bool = False,
        resize: str = "raise",
    ) -> None:
        if isinstance(pool, str):
            pool = pool_named(pool)
        self.pool = checked_pool(pool)
        self.match_sector = bool(match_sector)
        self.resize = checks.choice(resize, RESIZE, "resize")
        super().__init__(p, sector_key, missing)

    def _sample(self, bits: int, data: dict[str, Any]) -> Sampled:
        return {"donor": self.pool.pick(bits, data.get("pool_index"))}

    def _visible(self, inside: Inside, sampled: Sampled) -> Inside | None:
        if not self.match_sector:
            return inside
        return common_sector(self.pool, sampled["donor"], inside, self.resize)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        shape = frame.shape
        channels = shape[2] if len(shape) == 3 else 1
        background = background_for(
            self.pool, sampled["donor"], frame, shape[:2], channels, frame.dtype, self.resize
        )
        if background.shape != shape:
            background = background.reshape(shape)
        return lambda _: background

    def get_transform_init_args(self) -> dict[str, Any]:
        """The arguments to serialise: the pool goes by its name, never by its pixels."""
        return {**super().get_transform_init_args(), "pool": self.pool.key}


class BlackBackground(_BackgroundTransform):
    """Make everything outside the sector black (BackMix, section 3.3: 'Black').

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(self, p: float = 1.0, sector_key: str = "mask", missing: str = "raise") -> None:
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        return fills.black


class _SeededFill(_BackgroundTransform):
    """A fill that is random, but the same for all frames of a clip."""

    def _sample(self, bits: int, data: dict[str, Any]) -> Sampled:
        return {"fill_seed": bits}


class NoiseBackground(_SeededFill):
    """Put grey noise, uniform in 0..high, outside the sector (BackMix, section 3.3: 'Noise').

    Args:
        high: brightest level, in 0..255 for uint8 images and scaled by 1/255 for float32.

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(
        self,
        high: float = 30.0,
        p: float = 1.0,
        sector_key: str = "mask",
        missing: str = "raise",
    ) -> None:
        self.high = checks.number(high, 0, 255, "high")
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        background = fills.noise(frame, np.random.default_rng(sampled["fill_seed"]), self.high)
        return lambda _: background


class ShuffleBackground(_SeededFill):
    """Put the pixels outside the sector in random order (BackMix, section 3.3: 'Shuffle').

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(self, p: float = 1.0, sector_key: str = "mask", missing: str = "raise") -> None:
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        seed = sampled["fill_seed"]
        return lambda frame: fills.shuffle(frame, inside, np.random.default_rng(seed))


class DimBackground(_BackgroundTransform):
    """Darken everything outside the sector, as the authors' code does under the name 'bokeh'.

    Args:
        factor: in 0..1.

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(
        self,
        factor: float = 0.74,
        p: float = 1.0,
        sector_key: str = "mask",
        missing: str = "raise",
    ) -> None:
        self.factor = checks.number(factor, 0, 1, "factor")
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        return lambda frame: fills.dim(frame, inside, self.factor)


class BlurBackground(_BackgroundTransform):
    """Blur everything outside the sector (BackMix, section 3.3: 'Bokeh' as the paper cites it).

    Args:
        sigma_px: standard deviation of the Gaussian in pixels, in 0.1..100.

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(
        self,
        sigma_px: float = 3.0,
        p: float = 1.0,
        sector_key: str = "mask",
        missing: str = "raise",
    ) -> None:
        self.sigma_px = checks.number(sigma_px, 0.1, 100, "sigma_px")
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        return lambda frame: fills.blur(frame, inside, self.sigma_px)


def _enclosing_compose(transform: _BackgroundTransform) -> Any:
    """The outermost Compose that is calling `transform`, or None.

    Neither library tells a transform where it stands, so the calls under way are looked through.
    """
    found = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, A.BaseCompose) and any(leaf is transform for leaf in _leaves(caller)):
            found = caller
        frame = frame.f_back
    return found


def _leaves(compose: Any) -> Iterator[Any]:
    for transform in compose.transforms:
        if isinstance(transform, A.BaseCompose):
            yield from _leaves(transform)
        else:
            yield transform


def _before(transform: _BackgroundTransform, compose: Any) -> Iterator[Any]:
    for leaf in () if compose is None else _leaves(compose):
        if leaf is transform:
            return
        yield leaf
