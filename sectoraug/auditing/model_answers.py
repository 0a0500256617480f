"""What a model's answers to swapped backgrounds say, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.told import Ints, balanced_accuracy
from sectoraug.evidence.statistics import clustered_bootstrap

KINDS = ("any other image", "same style", "other style", "other label", "black")
"""Where a new background comes from; always from another group."""
LEAST_USES = 5
"""Of a donor, before a share says something."""


@dataclass(frozen=True)
class Swaps:
    """Swaps of one kind, (S,) each."""

    image: Ints
    """Which of the images that the model was shown."""
    donor: Ints
    """Where its background is from, a place among shown images and donors."""
    before: Ints
    """The label that the model gives the image as it is."""
    after: Ints
    """The label that it gives the swapped one."""
    of_donor: Ints
    """The label that it gives the donor as it is; -1 for black."""
    change: NDArray[Any]
    """Of the probability of the label before, absolute."""

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """Whether the label is another."""
        return np.asarray(self.after != self.before)


@dataclass(frozen=True)
class Flips:
    """What new backgrounds of one kind do to the model's answers; shares in 0..1."""

    share: float
    """Of answers that become another label."""
    interval: tuple[float, float]
    """95%, by drawing whole groups."""
    mean_change: float
    """Of the probability of the label that was answered before: the mean of its absolute change."""
    n_swaps: int


@dataclass(frozen=True)
class Mirror:
    """Sector of one image, background of another that the model answers differently: whom does it follow?"""

    sector: float
    background: float
    neither: float
    n: int


@dataclass(frozen=True)
class ModelAudit:
    """What the model does; shares in 0..1."""

    images: Ints
    """(M,) the images it was shown, by index."""
    accuracy: float
    """Balanced, as they are."""
    accuracy_by_style: dict[int, tuple[float, int]]
    """Style -> accuracy and how many images."""
    flips: dict[str, Flips]
    """By KINDS; a kind that no image has donors of is left out."""
    mirror: Mirror | None
    """None where the model answers all images alike."""
    flips_of_image: NDArray[np.float64]
    """(M,) the share of the new backgrounds of other images that change its answer."""
    interval_of_image: NDArray[np.float64]
    """(M, 2) Wilson's 95% interval of it."""
    flips_of_donor: dict[int, tuple[float, int]]
    """Donor, by its index -> share of answers that it changed, and how often it was used; from 5 on."""
    focus: dict[str, float] | None
    """energy_percent, focus_percent and coverage_percent of GradCAM; None without a layer."""


def flips_of(swaps: Swaps, groups: Ints, seed: int) -> Flips:
    """`groups`: (S,) those of the images."""
    flipped, change = swaps.flipped, float(swaps.change.mean())
    if len(np.unique(groups)) < 2:
        return Flips(float(flipped.mean()), (0.0, 1.0), change, len(flipped))
    found = clustered_bootstrap(flipped, groups, n_resamples=2_000, seed=seed)
    return Flips(found.mean, (found.low, found.high), change, len(flipped))


def mirror_of(swaps: Swaps) -> Mirror | None:
    """None where the model answers all pairs alike."""
    differ = swaps.before != swaps.of_donor
    if not differ.any():
        return None
    sector = swaps.after[differ] == swaps.before[differ]
    background = swaps.after[differ] == swaps.of_donor[differ]
    neither = ~(sector | background)
    return Mirror(float(sector.mean()), float(background.mean()), float(neither.mean()), int(differ.sum()))


def by_image(swaps: Swaps, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(n,) the share of flips of each image, and (n, 2) Wilson's 95% interval of it; NaN without swaps."""
    from scipy.stats import binomtest

    counts, times = np.bincount(swaps.image, swaps.flipped, n), np.bincount(swaps.image, minlength=n)
    share, interval = np.full(n, np.nan), np.full((n, 2), np.nan)
    for i in np.flatnonzero(times):
        share[i] = counts[i] / times[i]
        interval[i] = binomtest(int(counts[i]), int(times[i])).proportion_ci(method="wilson")
    return share, interval


def by_donor(swaps: Swaps, rows: Ints) -> dict[int, tuple[float, int]]:
    """The worst first, by their index: `rows` says which image is at which place."""
    counts, times = np.bincount(swaps.donor, swaps.flipped), np.bincount(swaps.donor)
    used = np.flatnonzero(times >= LEAST_USES)
    order = used[np.argsort(-counts[used] / times[used], kind="stable")]
    return {int(rows[k]): (float(counts[k] / times[k]), int(times[k])) for k in order}


def by_style(right: NDArray[np.bool_], style_of: Ints) -> dict[int, tuple[float, int]]:
    """Style -> share of right answers, and of how many."""
    styles = np.unique(style_of)
    return {int(k): (float(right[style_of == k].mean()), int((style_of == k).sum())) for k in styles}


def accuracy_of(answers: Ints, labels: Ints) -> float:
    """Balanced, over the labels that there are."""
    return balanced_accuracy(answers, labels, int(labels.max()) + 1)
