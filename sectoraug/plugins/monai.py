"""BackMix as a MONAI dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from random import Random
from typing import Any

import numpy as np
import torch

from sectoraug import checks
from sectoraug.draws import Draws
from sectoraug.plugins.drawn import Drawn
from sectoraug.plugins.example_tensor import apply_drawn, inside_of
from sectoraug.pool import BackgroundPool
from sectoraug.pool.example import checked_pool
from sectoraug.pool.fitting import RESIZE

try:
    from monai.config.type_definitions import KeysCollection
    from monai.transforms.transform import MapTransform, RandomizableTransform
    from monai.utils.type_conversion import convert_to_dst_type
except ImportError as error:
    raise ImportError(
        "this plug needs MONAI, which is not installed: pip install 'sectoraug[monai]'."
    ) from error


class BackMixd(RandomizableTransform, MapTransform):
    """Swap the background of images for that of a random donor (BackMix, section 2.1).

    Put it after what moves image and sector together, and before intensities are scaled or normalised.

    Args:
        keys: of the images, channel first as everywhere in MONAI: (C, H, W), or a clip (C, T, H, W) with one
            donor for all frames; arrays, tensors or MetaTensors. Several keys share sector and donor.
        pool: a BackgroundPool of the images' dtype, channels and size.
        sector_key: of the sector, (H, W) or (1, H, W), nonzero inside.
        prob: probability of the swap, in 0..1.
        missing: "raise", or "skip" to leave an image without sector (absent, None or all zero) as it is.
        match_sector: crop the image to the donor's sector too; the sector becomes the visible intersection.
        resize: "raise", "stretch" or "pad": what to do with donors of another size than the image.
        mixed_key: where to say whether the background was swapped, a bool.
        allow_missing_keys: as in MONAI.

    An optional entry "pool_index", the image's own index in the pool, keeps it from drawing itself.

    Whether to swap and which donor is drawn from `self.R`, so `set_random_state` repeats it; in a
    DataLoader's workers it follows `torch.manual_seed` and differs across workers and epochs, whether the
    loader is MONAI's or torch's. Ranks differ.

    Examples:
        >>> import sectoraug as sa
        >>> from sectoraug.plugins.monai import BackMixd
        >>> clips = [sa.phantom.make_clip(seed=seed, frames=1) for seed in range(3)]
        >>> pool = sa.BackgroundPool.from_arrays([c.frames[0] for c in clips], [c.sector for c in clips])
        >>> train = BackMixd(keys="image", pool=pool).set_random_state(0)
        >>> out = train({"image": clips[0].frames, "sector": clips[0].sector, "label": 2})
        >>> out["image"].shape, out["label"], out["backmixed"]
        ((1, 112, 112), 2, True)
    """

    def __init__(
        self,
        keys: KeysCollection,
        pool: BackgroundPool,
        sector_key: str = "sector",
        prob: float = 1.0,
        missing: str = "raise",
        match_sector: bool = False,
        resize: str = "raise",
        mixed_key: str = "backmixed",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, checks.number(prob, 0, 1, "prob"))
        self.pool = checked_pool(pool)
        if checks.key(sector_key, "sector_key") in self.keys:
            raise ValueError(
                f"keys hold the sector's own, {sector_key!r}; expected images alone: the swap reads the "
                "sector, so leave it out of keys."
            )
        self.sector_key = sector_key
        self.missing = checks.choice(missing, ("raise", "skip"), "missing")
        self.match_sector = checks.flag(match_sector, "match_sector")
        self.resize = checks.choice(resize, RESIZE, "resize")
        self.mixed_key = mixed_key
        self._draws = Draws()
        self._drawn = Drawn(None)

    def draw(self, own: int | None = None) -> Drawn:
        """Draw from `self.R` whether to swap, and which donor: any but `own`."""
        host = Random(int(self.R.randint(0, 2**63, dtype=np.uint64)))
        coin, bits = (self._draws.bits(host, host_is_seeded=True) for _ in range(2))
        return Drawn(self.pool.pick(bits, own) if coin < self.prob * 2**64 else None)

    def randomize(self, data: Any = None) -> None:
        """MONAI's name of drawing, kept for `__call__`; `data` may name the image's own index in the pool."""
        self._drawn = self.draw(None if data is None else data.get("pool_index"))
        self._do_transform = self._drawn.donor is not None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The entries, with new backgrounds in those under `keys`; inputs are not written to."""
        self.randomize(data)
        result = dict(data)
        result[self.mixed_key] = False
        for key in self.key_iterator(result):
            self._apply(result, key)
        return result

    def _apply(self, data: dict[Hashable, Any], key: Hashable) -> None:
        image = _as_tensor(data[key], key)
        if image.ndim not in (3, 4):
            raise ValueError(
                f"{key} is {checks.describe(data[key])}; expected (C, H, W) or (C, T, H, W): "
                "use EnsureChannelFirstd."
            )
        inside = inside_of(data.get(self.sector_key), tuple(image.shape[-2:]), self.sector_key, self.missing)
        if inside is None:
            return
        plain = image.as_tensor() if hasattr(image, "as_tensor") else image
        applied = apply_drawn(plain, inside, self.pool, self._drawn, self.match_sector, self.resize)
        if applied is None:
            return
        new, visible = applied
        data[key] = convert_to_dst_type(new, data[key])[0]
        if self.match_sector:
            given = data[self.sector_key]
            data[self.sector_key] = given * convert_to_dst_type((visible != 0).reshape(given.shape), given)[0]
        data[self.mixed_key] = True


def _as_tensor(value: Any, key: Hashable) -> torch.Tensor:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.array(value, order="C"))  # flips have strides that torch refuses
    if isinstance(value, torch.Tensor):
        return value
    raise TypeError(
        f"{key} is {checks.describe(value)}; expected an array or tensor (C, H, W): load it first."
    )


BackMixD = BackMixDict = BackMixd  # MONAI's other names of a dictionary transform
