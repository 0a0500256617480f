"""The phantom's probe: beams over the sector, and how echoes along them become grey levels."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sectoraug.phantom.hearts import Plane, sine_of, uneven

GEOMETRIES = ("fan", "curved", "linear")

# Speckle moves with the tissue by at most this many samples.
_MARGIN = 12


class Settings(NamedTuple):
    """What the person at the scanner chose, and how the window to the heart is."""

    gain: float  # 1 is usual
    reject: float  # what is cut off at the dark end, 0..0.3
    noise: float  # electronic noise, 0..1
    haze: float  # reverberation near the probe, 0..1
    shadow: float  # how dark shadows are, 0..1
    blur: float  # lateral, 0..1


class Beams:
    """The sector of one image and the grid of (depths, beams) that it is sampled on.

    Attributes:
        sector: (H, W) bool.
        x, y: (depths, beams) float32, in units of the depth.
        depth: (depths, 1) float32 in 0..1.
        side: (1, beams) float32 in -1..1.
    """

    def __init__(
        self,
        size: tuple[int, int],
        geometry: str,
        half_opening_deg: float,
        depth_share: float,
        offset: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """`depth_share` of the height is the depth, or less where the width is too small for it."""
        height, width = size
        side = sine_of(half_opening_deg / 360)
        # The radius of the probe's face, in units of the depth; None for a flat one.
        face = {"fan": 0.035, "curved": 0.45, "linear": None}[geometry]
        room = 0.49 * width
        depth_px = depth_share * height
        if face is None:
            half_width_px = min(1.15 * side * depth_px, room)
        else:
            depth_px = min(depth_px, room / (side * (1 + face)))
        row, column = np.mgrid[:height, :width].astype(np.float64)
        dx = column - ((width - 1) / 2 + offset[0] * width)
        top_px = 0.045 * height + offset[1] * height
        if face is None:
            radius = row - top_px
            beam = dx * (1 / half_width_px)
            reach = radius * (1 / depth_px)
        else:
            # The face's lowest point stands at the top; its corners are higher up.
            cosine = sqrt(1 - side * side)
            dy = row - (top_px - face * depth_px * cosine)
            radius = np.sqrt(dx * dx + dy * dy)
            beam = dx / np.maximum(radius, 1e-6) * (1 / side)
            beam = np.where(dy > 0, beam, 2.0)
            reach = radius * (1 / depth_px) - face
        self.sector: NDArray[np.bool_] = (np.abs(beam) <= 1) & (reach >= 0) & (reach <= 1)
        n_depths, n_beams = max(8, int(depth_px)), max(8, int(0.6 * width))
        self._sample(reach, beam, n_depths, n_beams)
        self.depth = (np.arange(n_depths) * (1 / (n_depths - 1))).astype(np.float32)[:, None]
        self.side = (np.arange(n_beams) * (2 / (n_beams - 1)) - 1).astype(np.float32)[None]
        if face is None:
            self.x = np.repeat(self.side * (half_width_px / depth_px), n_depths, 0)
            self.y = np.repeat(self.depth, n_beams, 1)
        else:
            sines = self.side * side
            away = self.depth + face
            self.x = away * sines
            self.y = away * np.sqrt(1.0 - sines * sines) - face * cosine
        self.shape = n_depths, n_beams

    def _sample(
        self, reach: NDArray[np.float64], beam: NDArray[np.float64], n_depths: int, n_beams: int
    ) -> None:
        """Keep for each pixel of the sector its four neighbours on the grid, and where it lies between."""
        self._inside = np.flatnonzero(self.sector)
        down = reach.ravel()[self._inside] * (n_depths - 1)
        over = (beam.ravel()[self._inside] + 1) * ((n_beams - 1) / 2)
        at_depth = np.minimum(down.astype(np.intp), n_depths - 2)
        at_beam = np.minimum(over.astype(np.intp), n_beams - 2)
        self._tap = at_depth * n_beams + at_beam
        self._taps = [self._tap, self._tap + 1, self._tap + n_beams, self._tap + (n_beams + 1)]
        self._down = (down - at_depth).astype(np.float32)
        self._over = (over - at_beam).astype(np.float32)

    def image(self, levels: Plane) -> NDArray[np.uint8]:
        """Grey levels (H, W) from levels 0..255 on the beams, 0 outside the sector (scan conversion)."""
        near, near_next, far, far_next = (levels.take(tap) for tap in self._taps)
        near_next -= near
        near_next *= self._over
        near += near_next
        far_next -= far
        far_next *= self._over
        far += far_next
        far -= near
        far *= self._down
        near += far
        frame = np.zeros(self.sector.shape, np.uint8)
        np.rint(near, out=near)
        frame.reshape(-1)[self._inside] = near.astype(np.uint8)
        return frame


class Scanner:
    """Beams, their speckle and their settings: turns the echoes of one moment into an image."""

    def __init__(self, beams: Beams, settings: Settings, rng: np.random.Generator) -> None:
        self.beams = beams
        self._settings = settings
        self._rng = rng
        rows, columns = beams.shape
        depth, side = beams.depth, beams.side
        speckle = rng.random((2, rows + 2 * _MARGIN, columns + 2 * _MARGIN), dtype=np.float32) - 0.5
        # Pulses are a few samples long, so neighbours in depth are alike.
        speckle[:, 1:] += speckle[:, :-1].copy()
        speckle[:, :, 1:] += speckle[:, :, :-1].copy()
        speckle *= 1.5
        # A share of every echo is coherent, or the picture would be all grain.
        speckle[0] += 0.6
        self._speckle = speckle
        self._stride = speckle.shape[2]
        self._home = (
            (np.arange(rows) + _MARGIN)[:, None] * self._stride + (np.arange(columns) + _MARGIN)
        ).astype(np.intp)
        self.tissue = 0.02 + 0.26 * _squared(uneven(rng, rows, columns, (7, 6)))
        haze = settings.haze * 0.5 / (1.0 + _squared(depth * 9.0))
        bands = 0.55 + 0.45 * uneven(rng, rows, 1, (max(10, rows // 4), 1))
        self._haze = haze * bands * (0.6 + 0.4 * uneven(rng, rows, columns, (5, 4)))
        self._through = self._windows(depth, side)
        self._blur = np.minimum(0.25 + settings.blur * depth, 1.0)
        self._noise = settings.noise * (0.004 + 0.03 * depth * depth)

    def _windows(self, depth: Plane, side: Plane) -> Plane:
        """What share of the sound comes back from each point: gain curve, contact, ribs' shadows."""
        rng, settings = self._rng, self._settings
        rows, columns = self.beams.shape
        curve = settings.gain * (0.75 + 0.5 * uneven(rng, rows, 1, (5, 1)))
        through = curve * (1.0 - 0.35 * depth)
        # Contact is worse at the probe's ends.
        through = through * np.clip((1.08 - np.abs(side)) * 3.0, 0.12, 1.0)
        for _ in range(2):
            middle, half = 2.4 * rng.random() - 1.2, 0.05 + 0.12 * rng.random()
            start = 0.35 * rng.random()
            beam = np.clip((half - np.abs(side - middle)) * 10.0 + 0.5, 0.0, 1.0)
            dark = settings.shadow * rng.random()
            through = through * (1.0 - dark * beam * np.clip((depth - start) * 8.0, 0.0, 1.0))
        patches = uneven(rng, rows, columns, (4, 5))
        return np.asarray(through * (0.45 + 0.9 * patches), np.float32)

    def frame(self, echoes: Plane, shift: tuple[Plane, Plane]) -> NDArray[np.uint8]:
        """The image (H, W) of echoes from tissue that has moved by `shift`: across and along, in depths."""
        rows, columns = self.beams.shape
        limit = _MARGIN - 1.0
        across = np.clip(np.rint(shift[0] * float(columns)), -limit, limit).astype(np.intp)
        along = np.clip(np.rint(shift[1] * float(rows)), -limit, limit).astype(np.intp)
        along *= self._stride
        along += across
        along += self._home
        echoes = echoes + self._haze
        echoes *= self._through
        real = self._speckle[0].take(along)
        real *= echoes
        imaginary = self._speckle[1].take(along)
        imaginary *= echoes
        real, imaginary = self._spread(real), self._spread(imaginary)
        real *= real
        imaginary *= imaginary
        real += imaginary
        amplitude = np.sqrt(real, out=real)
        top, left = self._rng.integers(0, 2 * _MARGIN, 2).tolist()
        grain = self._speckle[1, top : top + rows, left : left + columns]
        amplitude += np.abs(grain) * self._noise
        # A square root for the logarithm: it is exact, and as steep where it matters.
        levels = np.sqrt(amplitude, out=amplitude)
        levels -= self._settings.reject
        levels *= 255 / (1.02 - self._settings.reject)
        return self.beams.image(np.clip(levels, 0.0, 255.0, out=levels))

    def _spread(self, echoes: Plane) -> Plane:
        near = _blurred(echoes)
        far = _blurred(_blurred(near, 2), 3)
        far -= near
        far *= self._blur
        far += near
        return far


def _blurred(plane: Plane, step: int = 1) -> Plane:
    """Smooth over the beams with weights 1/4, 1/2, 1/4 at a step, holding the ends."""
    blurred = plane * 0.5
    blurred[:, step:-step] += 0.25 * (plane[:, 2 * step :] + plane[:, : -2 * step])
    blurred[:, :step] += 0.5 * plane[:, :step]
    blurred[:, -step:] += 0.5 * plane[:, -step:]
    return blurred


def _squared(plane: Plane) -> Plane:
    return plane * plane
