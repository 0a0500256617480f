"""One patient's heart: the textbook's, varied, and how it beats.

Only +, -, *, / and square roots are used, which IEEE 754 fixes to the last bit; NumPy's sine or
logarithm would differ between machines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.phantom.anatomy import HEARTS, Blade

Plane = NDArray[np.float32]

WALL, BLOOD, RING = 0.5, 0.012, 1.5


class Heart:
    """One patient's heart as one view cuts it: the textbook's, varied.

    `patient` and `cut` are sources of randomness: what all of a patient's views share (size, walls,
    vigour), and what is this view's own (chambers, tilt). `variety` scales both; 0 is the table.
    """

    def __init__(
        self, view: str, patient: np.random.Generator, cut: np.random.Generator, variety: float
    ) -> None:
        def around(rng: np.random.Generator, spread: float) -> float:
            return variety * spread * (2 * rng.random() - 1)

        chambers, blades, ring = HEARTS[view]
        self.scale = 1 + around(patient, 0.13)
        thick = 1 + around(patient, 0.3)
        self.vigour = 1 + around(patient, 0.35)
        self.tilt_deg = around(cut, 16.0)
        self.shift = around(cut, 0.07), around(cut, 0.05)
        self.ring = ring
        self.ring_level = RING * (1 + around(cut, 0.4))
        self.blood = BLOOD * (1 + around(cut, 0.6))
        self.chambers = [
            chamber._replace(
                x=chamber.x + around(cut, 0.02),
                y=chamber.y + around(cut, 0.02),
                a=chamber.a * (1 + around(cut, 0.15)),
                b=chamber.b * (1 + around(cut, 0.12)),
                tilt_deg=chamber.tilt_deg + around(cut, 6.0),
                wall=chamber.wall * thick,
            )
            for chamber in chambers
        ]
        self.blades = [
            blade._replace(level=blade.level * (1 + around(cut, 0.5)), length=blade.length * self.scale)
            for blade in blades
        ]

    def placed(self, x: Plane, y: Plane, jitter: tuple[float, float, float]) -> PlacedHeart:
        """The heart seen from points (x, y), of one shape; jitter: the hand's (dx, dy, tilt_deg)."""
        return PlacedHeart(self, x, y, jitter)


class PlacedHeart:
    """A heart over fixed points, so that each frame only pays for what moves."""

    def __init__(self, heart: Heart, x: Plane, y: Plane, jitter: tuple[float, float, float]) -> None:
        dx, dy, tilt_deg = jitter
        x = x - (heart.shift[0] + dx)
        y = y - (heart.shift[1] + dy + 0.5)
        across, along = _rotated(x, y, (heart.tilt_deg + tilt_deg) / 360, 1 / heart.scale)
        self._heart = heart
        self._x, self._y = across, along + 0.5
        self._eggs = [_rotated(self._x - c.x, self._y - c.y, c.tilt_deg / 360, 1.0) for c in heart.chambers]
        ring_x, ring_y, a, b = heart.ring
        u, v = (self._x - ring_x) * (1 / a), (self._y - ring_y) * (1 / b)
        radius = np.sqrt(u * u + v * v)
        line = np.clip(1.0 - np.abs(radius - 1.0) * 22.0, 0.0, 1.0)
        # Only what lies across the beam shines: the far side of the heart.
        self._ring = line * np.clip(v * 1.4, 0.0, 1.0) * heart.ring_level
        self._muscle = np.clip((1.0 - radius) * 12.0, 0.0, 1.0) * (0.4 * WALL)
        self._pull = (
            np.clip(self._x, -0.3, 0.3) * (0.22 * heart.vigour),
            np.clip(self._y - 0.15, 0.0, 0.6) * (0.11 * heart.vigour),
        )

    def shift(self, phase: float) -> tuple[Plane, Plane]:
        """How far the tissue at each point has come from, across and along, at a phase of the beat."""
        squeeze = systole(phase)
        return self._pull[0] * squeeze, self._pull[1] * squeeze

    def echoes(self, phase: float, tissue: Plane) -> Plane:
        """Amplitudes of the echoes at a phase (0..1) of the beat; `tissue` is what surrounds the heart."""
        heart = self._heart
        squeeze = systole(phase) * heart.vigour
        echoes: Plane = np.maximum(tissue, self._muscle)
        for chamber, (across, along) in zip(heart.chambers, self._eggs, strict=True):
            a = chamber.a * (1 - chamber.squeeze_a * squeeze)
            b = chamber.b * (1 - chamber.squeeze_b * squeeze)
            v = (along + chamber.drift * squeeze) * (1 / b)
            u = across * (1 / a)
            if chamber.taper:
                u *= 1.0 - chamber.taper * v
            u *= u
            v *= v
            u += v
            radius = np.sqrt(u, out=u)
            shorter = min(a, b)
            wall = chamber.wall * (1 + 0.35 * squeeze)
            rim = (1 + wall / shorter) - radius
            rim *= shorter * 45
            np.clip(rim, 0.0, 1.0, out=rim)
            # Later chambers cover earlier ones, so that a septum is never lost to its neighbour's blood.
            rim *= WALL - np.minimum(echoes, WALL)
            echoes += rim
            radius *= -shorter * 55
            radius += shorter * 55 + 0.5
            blood = np.clip(radius, 0.0, 1.0, out=radius)
            blood *= echoes - heart.blood
            echoes -= blood
        for blade in heart.blades:
            self._swing(blade, phase, squeeze, echoes)
        np.maximum(echoes, self._ring, out=echoes)
        return echoes

    def _swing(self, blade: Blade, phase: float, squeeze: float, echoes: Plane) -> None:
        opened = arterial_opening(phase) if blade.arterial else mitral_opening(phase)
        angle = (blade.shut_deg + opened * (blade.open_deg - blade.shut_deg)) / 360
        u, v = _rotated(self._x - blade.x, self._y - (blade.y - blade.drift * squeeze), angle, 1.0)
        u *= 2 / blade.length
        u -= 1.0
        u *= u
        v *= 1 / blade.width
        v *= v
        u += v
        np.subtract(1.6, u, out=u)
        np.clip(u, 0.0, 1.0, out=u)
        u *= blade.level
        np.maximum(echoes, u, out=echoes)


def systole(phase: float) -> float:
    """How far the ventricles are squeezed, 0..1, at a phase 0..1 that starts with the R wave."""
    phase -= phase // 1
    if phase < 0.35:
        return _smooth(phase / 0.35)
    return _smooth(1 - (phase - 0.35) / 0.3) if phase < 0.65 else 0.0


def mitral_opening(phase: float) -> float:
    """0 shut, 1 open: wide in early filling, again with the atria's beat."""
    phase -= phase // 1
    early = _bump((phase - 0.56) / 0.28)
    late = 0.75 * _bump((phase - 0.80) / 0.2)
    return max(early, late, 0.3 * _bump((phase - 0.6) / 0.4))


def arterial_opening(phase: float) -> float:
    """0 shut, 1 open: through systole."""
    return min(1.0, 1.6 * _bump((phase - phase // 1 - 0.05) / 0.34))


def _smooth(t: float) -> float:
    return t * t * (3 - 2 * t)


def _bump(t: float) -> float:
    return 16 * t * t * (1 - t) * (1 - t) if 0 < t < 1 else 0.0


def _rotated(x: Plane, y: Plane, turns: float, factor: float) -> tuple[Plane, Plane]:
    cosine, sine = factor * sine_of(turns + 0.25), factor * sine_of(turns)
    return x * cosine + y * sine, y * cosine - x * sine


def sine_of(turns: float) -> float:
    """The sine of an angle in turns, by a series, the same on every machine."""
    turns -= (turns + 0.5) // 1
    if turns > 0.25:
        turns = 0.5 - turns
    elif turns < -0.25:
        turns = -0.5 - turns
    x = 6.283185307179586 * turns
    term = total = x
    for k in range(3, 23, 2):
        term *= -x * x / (k * (k - 1))
        total += term
    return total


def uneven(rng: np.random.Generator, rows: int, columns: int, cells: tuple[int, int]) -> Plane:
    """A (rows, columns) field in 0..1 that changes smoothly over so many cells."""
    coarse: Any = rng.random((cells[0] + 1, cells[1] + 1)).astype(np.float32)
    at, part = _cells(rows, cells[0])
    tall = coarse[at] + (coarse[at + 1] - coarse[at]) * part[:, None]
    at, part = _cells(columns, cells[1])
    field: Plane = tall[:, at] + (tall[:, at + 1] - tall[:, at]) * part
    return field


def _cells(n: int, cells: int) -> tuple[NDArray[np.intp], Plane]:
    position = (np.arange(n) + 0.5) * (cells / n)
    at = position.astype(np.intp)
    part = (position - at).astype(np.float32)
    return at, part * part * (3.0 - 2.0 * part)
