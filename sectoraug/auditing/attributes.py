"""G-AUDIT's two axes: what an attribute tells of the label, and whether it can be read from the pixels.

After Pavlak, Drenkow et al. (Data AUDIT, MICCAI 2023; G-AUDIT, npj Digital Medicine 2026). An attribute that
is high on both is what a network can learn in place of the disease.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.told import Ints, answered, deal

_BINS = 5
_CHANCE = 9
"""Permutations for what chance alone reads."""


@dataclass(frozen=True)
class Attribute:
    """One attribute, such as the scanner or the brightness; numbers are sorted into five bins."""

    name: str
    utility: float
    """Of the label's entropy, what knowing the attribute takes away, 0..1; chance's share is taken off."""
    p_value: float
    """That chance alone gives that much."""
    detectability: float
    """Of the attribute's entropy given the label, what a simple classifier reads from a thumbnail of the
    image, 0..1, chance's share taken off. A network can read more."""
    n_values: int


def attributes_of(
    given: Mapping[str, Any],
    whole: NDArray[Any],
    dealt: Ints,
    groups: Ints,
    seed: int = 0,
) -> list[Attribute]:
    """Both axes for each attribute, (N,) numbers or names; those with one value only are left out."""
    labels = dealt[:, 0]
    binned = {name: values for name, each in given.items() if (values := as_categories(each)).max() > 0}
    read = _read(binned, whole, groups, seed)
    found = []
    for name, values in binned.items():
        entropy = _entropy(_joint(labels, np.zeros_like(labels)))
        information = _information(values, labels)
        chance = np.array([_information(values, each) for each in dealt.T[1:]])
        found.append(
            Attribute(
                name,
                _beyond(information, float(chance.mean()), entropy),
                float((1 + (chance >= information - 1e-12).sum()) / dealt.shape[1]),
                _detectability(read[name], values, labels, groups, seed),
                int(values.max()) + 1,
            )
        )
    return sorted(found, key=lambda each: -each.utility * each.detectability)


def as_categories(values: Any) -> Ints:
    """(N,) whole numbers from 0 of names, or of numbers: as they are, or in five bins of equal size."""
    array = np.asarray(values)
    if array.dtype.kind == "f" or (array.dtype.kind in "iu" and len(np.unique(array)) > 2 * _BINS):
        edges = np.quantile(array, np.arange(1, _BINS) / _BINS)
        array = np.searchsorted(edges, array, side="right")
    return np.unique(array, return_inverse=True)[1].astype(np.intp)


def _read(binned: Mapping[str, Ints], whole: NDArray[Any], groups: Ints, seed: int) -> dict[str, Ints]:
    """Each attribute as the classifier reads it, images of other groups learned from."""
    if not binned:
        return {}
    answers = answered(whole, np.stack(list(binned.values()), 1), groups, seed)
    return dict(zip(binned, answers.T, strict=True))


def _detectability(read: Ints, values: Ints, labels: Ints, groups: Ints, seed: int) -> float:
    """I(read; attribute | label) over H(attribute | label)."""
    by_label = [labels == label for label in range(int(labels.max()) + 1)]
    weights = [own.mean() for own in by_label]
    entropy = sum(
        w * _entropy(np.bincount(values[own])) for w, own in zip(weights, by_label, strict=True) if w
    )
    information, *chance = (
        sum(w * _information(read[own], each[own]) for w, own in zip(weights, by_label, strict=True) if w)
        for each in deal(values, groups, _CHANCE, seed).T
    )
    return _beyond(information, float(np.mean(chance)), float(entropy))


def _beyond(found: float, by_chance: float, most: float) -> float:
    return float(np.clip((found - by_chance) / max(most - by_chance, 1e-9), 0, 1))


def _information(a: Ints, b: Ints) -> float:
    joint = _joint(a, b)
    return _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint.ravel())


def _joint(a: Ints, b: Ints) -> NDArray[np.int64]:
    columns = int(b.max()) + 1
    return np.bincount(a * columns + b, minlength=(int(a.max()) + 1) * columns).reshape(-1, columns)


def _entropy(counts: NDArray[Any]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
