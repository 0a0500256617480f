"""Evidence seen from many apexes at once: for each, the ring segment inside which it sums highest."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BEAMS = 130  # from the middle to the widest side
_WIDEST_RAD = 1.65
_END_COST = 0.004  # of the evidence: what an end inside the picture must gain
_ROUNDS = 2


class Segments(NamedTuple):
    """The best ring segment of each apex."""

    value: Floats
    """(K,): the evidence inside, less the cost of its ends."""
    radii_px: Floats
    """(K, 2): of the top and the bottom arc."""
    angles_rad: Floats
    """(K, 2): of the left and the right side."""


def end_cost(evidence: NDArray[Any]) -> float:
    """What an end inside the picture must gain."""
    return _END_COST * float(np.maximum(evidence, 0).sum())


def best_runs(sums: Floats, penalty: float = 0.0) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Highest sum over a run of neighbours in each row of (K, n), and its first and last index.

    An end inside costs `penalty`.
    """
    total = np.zeros((len(sums), sums.shape[1] + 1))
    np.cumsum(sums, 1, out=total[:, 1:])
    entry = total.copy()
    entry[:, 1:] += penalty
    value = total[:, 1:] - np.minimum.accumulate(entry, 1)[:, :-1]
    value[:, :-1] -= penalty
    last = np.argmax(value, 1)
    entry[np.arange(entry.shape[1]) > last[:, None]] = np.inf
    return value[np.arange(len(sums)), last], np.argmin(entry, 1), last


def best_segments(evidence: NDArray[np.float32], apexes: Floats, *, upright: bool) -> Segments:
    """For apexes (K, 2) above evidence (H, W), rings and beams chosen in turn.

    `upright`: alike on both sides, so that one side can lie in the dark.
    """
    n_apexes, (height, width) = len(apexes), evidence.shape
    x = (np.arange(width, dtype=np.float32) - apexes[:, :1].astype(np.float32))[:, None]
    y = (np.arange(height, dtype=np.float32) - apexes[:, 1:].astype(np.float32))[:, :, None]
    shape = (n_apexes, height * width)
    across = np.broadcast_to(x, (n_apexes, height, width)).reshape(shape)
    along = np.broadcast_to(y, (n_apexes, height, width)).reshape(shape)
    radius, angle = cv2.cartToPolar(along, across)
    np.subtract(angle, np.float32(2 * np.pi), out=angle, where=angle > np.pi)
    away = np.abs(angle)
    ahead = away <= _WIDEST_RAD
    step = np.minimum(away, _WIDEST_RAD).max(1, keepdims=True) / _BEAMS + np.float32(1e-6)
    nearest = np.floor(radius.min(1, keepdims=True))
    n_beams, n_rings = 2 * _BEAMS + 1, int(np.ceil(np.hypot(height, width))) + 2
    weights = (ahead * evidence.reshape(1, -1).astype(np.float64)).ravel()
    angle /= step
    beam = np.clip(angle + np.float32(_BEAMS + 0.5), 0, 2 * _BEAMS).astype(np.intp)
    radius -= nearest
    ring = np.clip(radius + np.float32(0.5), 0, n_rings - 1).astype(np.intp)
    which = np.arange(n_apexes)[:, None]
    of_beam, of_ring = (which * n_beams + beam).ravel(), (which * n_rings + ring).ravel()
    first, last = np.zeros(n_apexes, np.intp), np.full(n_apexes, n_beams - 1)
    low, high = np.zeros(n_apexes, np.intp), np.full(n_apexes, n_rings - 1)
    value, cost = np.zeros(n_apexes), end_cost(evidence)
    for _ in range(_ROUNDS):
        seen = ((ring >= low[:, None]) & (ring <= high[:, None])).ravel() * weights
        sums = _summed(of_beam, seen, (n_apexes, n_beams))
        if upright:  # from the middle beam outwards, both sides at once
            half = np.cumsum(sums[:, _BEAMS:] + sums[:, _BEAMS::-1], 1)
            away = np.argmax(half, 1)
            first, last = _BEAMS - away, _BEAMS + away
        else:
            _, first, last = best_runs(sums)
        seen = ((beam >= first[:, None]) & (beam <= last[:, None])).ravel() * weights
        sums = _summed(of_ring, seen, (n_apexes, n_rings))
        value, low, high = best_runs(sums, cost)
    radii = np.stack([np.maximum(low - 0.5, 0), high + 0.5], 1) + nearest
    angles = (np.stack([first - 0.5, last + 0.5], 1) - _BEAMS) * step
    return Segments(value, radii, angles)


def _summed(where: NDArray[np.intp], weights: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(np.bincount(where, weights, size[0] * size[1]).reshape(size), np.float64)
