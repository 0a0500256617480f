"""Plant a shortcut: give any real data set backgrounds that tell the label, to see who falls for it.

The counterpart of the phantom's `shortcut`: the backgrounds are real ones of other images, and all images get
one, so that the seam says nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sectoraug import checks
from sectoraug.categories import categories
from sectoraug.pool import BackgroundPool
from sectoraug.pool.example import checked_pool
from sectoraug.swap import swap_background

_LOOK_PX = 16
"""Side of the thumbnails by which donors are told apart."""
_SHARED_OUT = 2_000
"""Donors that are given to styles evenly; the time grows with their square."""
_ROUNDS = 50


@dataclass(frozen=True)
class PlantedShortcut:
    """What `plant_shortcut` gives; its repr carries no pixels."""

    images: NDArray[Any]
    """(N, H, W[, C]): the given images' sectors on backgrounds of donors."""
    donors: NDArray[np.int64]
    """(N,) each image's donor, an index into the pool."""
    styles: NDArray[np.int64]
    """(len(pool),) each donor's style, from 0; to give on for other splits of the same data."""
    tie: dict[Hashable, int]
    """The style that goes with each label; to give on, too."""

    def __repr__(self) -> str:
        sizes = np.bincount(self.styles).tolist()
        return f"PlantedShortcut(n={len(self.images)}, donors a style={sizes}, tie={self.tie})"


def plant_shortcut(
    images: Any,
    sectors: Any,
    labels: Any,
    pool: BackgroundPool,
    strength: float,
    seed: int = 0,
    styles: Any = None,
    *,
    tie: Mapping[Any, int] | None = None,
) -> PlantedShortcut:
    """Put every image's sector on a real background, which tells its label with probability `strength`.

    A stress test: train on images planted with strength .95, test on the same planted with 0, and see what of
    the accuracy is left. Make test images with the `styles` and the `tie` of the training images.

    Args:
        images: (N, H, W[, C]) uint8 or float32, of the pool's size, channels and dtype; or a list of them.
        sectors: (N, H, W), bool or uint8 of 0/1 or 0/255; or a list.
        labels: (N,) whole numbers or names.
        pool: where backgrounds come from. Apart from these images and their patients, or some will get their
            own background, and an image's own text may be found again in a test.
        strength: in 0..1; 0 leaves no association, 1 ties every image to its label's style.
        seed: the draws repeat under one seed.
        styles: (len(pool),) each donor's style, numbers from 0; by default as many as there are labels, by
            `donor_styles`. Look at them: `style_sheet`.
        tie: label -> style; by default the labels in their sorted order have the styles 0, 1, ... Further
            styles appear among the untied only.

    Returns:
        images, donors, styles and tie. With probability `strength` an image's donor is one of its label's
        style, otherwise any, all alike likely. The given images are not written to.

    Raises:
        TypeError, ValueError: an image has no sector or another size than the pool, there are fewer styles
            than labels, or a tied style has no donor.

    Examples:
        >>> import numpy as np, sectoraug as sa
        >>> data = sa.phantom.make_dataset(8, shortcut=0.0, size=(32, 32))
        >>> others = sa.phantom.make_dataset(12, shortcut=0.0, seed=1, size=(32, 32))
        >>> pool = sa.BackgroundPool.from_arrays(others.images, others.sectors)
        >>> planted = sa.plant_shortcut(
        ...     data.images, data.sectors, data.labels, pool, strength=1.0, styles=others.layouts
        ... )
        >>> bool((planted.styles[planted.donors] == data.labels).all())
        True
    """
    checks.number(strength, 0, 1, "strength")
    checked_pool(pool)
    seed = checks.seed(seed)
    for what, arrays in (("images", images), ("sectors", sectors)):
        if not _is_row(arrays):
            raise TypeError(
                f"{what} is {checks.describe(arrays)}; expected an array (N, H, W[, C]) or a list."
            )
    names, which = categories(labels, len(images), "labels")
    if len(images) != len(sectors):
        raise ValueError(
            f"there are {len(images)} images and {len(sectors)} sectors; expected one sector an image."
        )
    style_of = _styles(donor_styles(pool, max(2, len(names))) if styles is None else styles, len(pool))
    tied = _tie(names, style_of) if tie is None else {name: int(tie[name]) for name in _known(names, tie)}
    members = [np.flatnonzero(style_of == tied[name]) for name in names]
    for name, own in zip(names, members, strict=True):
        if not len(own):
            raise ValueError(
                f"style {tied[name]}, tied to label {name!r}, has no donor; expected one or more: choose "
                "another tie."
            )
    rng = np.random.Generator(np.random.PCG64(seed))
    is_tied = rng.random(len(images)) < strength
    donors = rng.integers(len(pool), size=len(images))
    # Drawn for all, so that under one seed the untied donors are the same at every strength.
    of_style = rng.integers(1 << 62, size=len(images))
    for i in np.flatnonzero(is_tied):
        own = members[which[i]]
        donors[i] = own[of_style[i] % len(own)]
    planted = [
        swap_background(image, sector, pool.background(int(donor)))
        for image, sector, donor in zip(images, sectors, donors, strict=True)
    ]
    return PlantedShortcut(np.stack(planted), donors, style_of, tied)


def donor_styles(pool: BackgroundPool, n_styles: int) -> NDArray[np.int64]:
    """Sort a pool's backgrounds into styles of equal size by what they look like.

    k-means on thumbnails of 16x16 with clusters of equal size: layout and brightness count, single letters do
    not. It starts from equal shares along the direction in which the backgrounds differ most, so it needs no
    seed. Of a pool over 2,000 donors the others go to the style that is nearest.

    Args:
        pool: one donor a style or more.
        n_styles: two or more.

    Returns:
        (len(pool),) each donor's style, 0 to n_styles - 1.

    Raises:
        ValueError: fewer donors than styles.
    """
    n = len(checked_pool(pool))
    checks.whole(n_styles, 1, 2**31 - 1, "n_styles")
    if not 2 <= n_styles <= n:
        raise ValueError(
            f"n_styles is {n_styles} for {n} donors; expected 2 to {n}: one donor or more is needed for each."
        )
    looks = np.stack([_look(pool.background(i)) for i in range(n)])
    some = looks[np.linspace(0, n - 1, min(n, _SHARED_OUT)).round().astype(int)]
    slots = np.arange(len(some)) * n_styles // len(some)
    centred = some - some.mean(0)
    most_different = np.linalg.svd(centred, full_matrices=False)[2][0]
    styles = np.empty_like(slots)
    styles[np.argsort(centred @ most_different, kind="stable")] = slots
    for _ in range(_ROUNDS):
        centres = np.stack([some[styles == style].mean(0) for style in range(n_styles)])
        nearest = slots[linear_sum_assignment(_squared_distances(some, centres)[:, slots])[1]]
        if (nearest == styles).all():
            break
        styles = nearest
    return styles if n == len(some) else _squared_distances(looks, centres).argmin(1)


def style_sheet(pool: BackgroundPool, styles: Any, n: int = 8, seed: int = 0) -> NDArray[Any]:
    """A picture of the styles: a row each, of `n` of its backgrounds drawn at random.

    It shows what was burned in around the images, patients' names included: keep it where they may be.

    Args:
        pool: the donors.
        styles: (len(pool),) each donor's style, as `plant_shortcut` gives them.
        n: backgrounds a style; a smaller style leaves its row black from there.
        seed: of the draw.

    Returns:
        (n_styles * H, n * W[, C]), like the pool's backgrounds.
    """
    style_of = _styles(styles, len(checked_pool(pool)))
    n = checks.whole(n, 1, 10_000, "n")
    rng = np.random.Generator(np.random.PCG64(checks.seed(seed)))
    rows = []
    for style in range(style_of.max() + 1):
        drawn = rng.permutation(np.flatnonzero(style_of == style))[:n]
        row = [pool.background(int(i)) for i in drawn]
        row += [np.zeros_like(pool.background(0))] * (n - len(row))
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def _is_row(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray)
    return (
        value.ndim > 0
        if is_array
        else hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict))
    )


def _squared_distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(((a[:, None] - b) ** 2).sum(2), np.float32)


def _look(background: NDArray[Any]) -> NDArray[np.float32]:
    small = cv2.resize(background.astype(np.float32), (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


def _styles(styles: Any, n: int) -> NDArray[np.int64]:
    try:
        values = np.asarray(styles)
    except ValueError:  # rows of unlike lengths
        values = np.empty(0)
    if values.shape != (n,) or values.dtype.kind not in "iu" or values.min() < 0:
        raise ValueError(
            f"styles is {checks.describe(values)} for {n} donors; expected one number from 0 a donor: use "
            "np.unique(names, return_inverse=True)[1] for names."
        )
    return values.astype(np.int64)


def _tie(names: list[Hashable], styles: NDArray[np.int64]) -> dict[Hashable, int]:
    n_styles = int(styles.max()) + 1
    if n_styles < len(names):
        raise ValueError(
            f"there are {n_styles} styles for {len(names)} labels; expected one or more a label: give "
            "`styles` that tell more donors apart, or a `tie`."
        )
    return {name: style for style, name in enumerate(names)}


def _known(names: list[Hashable], tie: Mapping[Any, int]) -> list[Hashable]:
    missing = [name for name in names if name not in tie]
    if missing:
        raise ValueError(
            f"tie names no style for {len(missing)} of {len(names)} labels; expected one for each: add "
            f"{missing[0]!r}."
        )
    return names
