"""BackMix and the baseline fills for albumentations 2.0.8 and AlbumentationsX alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks, fills
from sectoraug.plugins.albumentations_hosts import Sampled
from sectoraug.plugins.albumentations_transform import BackgroundTransform, Filler, Inside
from sectoraug.pool import BackgroundPool, pool_named
from sectoraug.pool.example import background_for, checked_pool, common_sector
from sectoraug.pool.fitting import RESIZE


class BackMix(BackgroundTransform):
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
        image: (H, W) or (H, W, C) of 1 to 8 channels, which are swapped together, uint8 or float32; or
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
        self.match_sector = checks.flag(match_sector, "match_sector")
        self.resize = checks.choice(resize, RESIZE, "resize")
        super().__init__(p, sector_key, missing)

    def draw(self, bits: int, data: dict[str, Any]) -> Sampled:
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


class _Fill(BackgroundTransform):
    """A background made of the image itself; where it is random it is the same for all frames of a clip."""

    def draw(self, bits: int, data: dict[str, Any]) -> Sampled:
        return {"fill_seed": bits}


class BlackBackground(_Fill):
    """Make everything outside the sector black (BackMix, section 3.3: 'Black').

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(self, p: float = 1.0, sector_key: str = "mask", missing: str = "raise") -> None:
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        return fills.black


class NoiseBackground(_Fill):
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


class ShuffleBackground(_Fill):
    """Put the pixels outside the sector in random order (BackMix, section 3.3: 'Shuffle').

    `p`, `sector_key`, `missing` and the call keys are as for `BackMix`.
    """

    def __init__(self, p: float = 1.0, sector_key: str = "mask", missing: str = "raise") -> None:
        super().__init__(p, sector_key, missing)

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        seed = sampled["fill_seed"]
        return lambda frame: fills.shuffle(frame, inside, np.random.default_rng(seed))


class DimBackground(_Fill):
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


class BlurBackground(_Fill):
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
