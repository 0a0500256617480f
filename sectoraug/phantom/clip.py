"""A clip of a beating heart, with its true sector and its overlay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.phantom.anatomy import VIEWS
from sectoraug.phantom.hearts import Heart, PlacedHeart
from sectoraug.phantom.overlays import LAYOUTS, Overlay
from sectoraug.phantom.probe import GEOMETRIES, Beams, Scanner, Settings

VENDORS = tuple(LAYOUTS)


@dataclass(frozen=True)
class PhantomClip:
    """A clip and what is true of it."""

    frames: NDArray[np.uint8] = field(repr=False)
    """(T, H, W); 0 outside the sector where nothing is burned in."""
    sector: NDArray[np.bool_] = field(repr=False)
    """(H, W); True inside."""
    view: str
    """One of VIEWS."""
    overlay: NDArray[np.bool_] = field(repr=False)
    """(T, H, W); True on burned-in pixels, all of them outside the sector."""


def make_clip(
    view: str = "A4C",
    frames: int = 32,
    size: tuple[int, int] = (112, 112),
    seed: int = 0,
    *,
    vendor: str | None = "boreal",
    geometry: str = "fan",
    half_opening_deg: float = 40.0,
    depth_share: float = 0.86,
    gain: float = 1.0,
    reject: float = 0.12,
    noise: float = 0.6,
    haze: float = 0.5,
    shadow: float = 0.6,
    blur: float = 0.6,
    variety: float = 1.0,
    beat_frames: float = 24.0,
) -> PhantomClip:
    """Make a clip of a beating heart.

    Args:
        view: one of VIEWS.
        frames: how many, 1..4096.
        size: (H, W) in pixels, each 32..1024.
        seed: a whole number in 0..2**32-1; frames repeat under one seed and the same arguments.
        vendor: whose layout is burned in, one of VENDORS, or None for nothing outside the sector.
        geometry: "fan" (phased array), "curved" or "linear".
        half_opening_deg: from the middle line to the sector's side, 15..48 degrees; a linear sector's
            width grows with it as a fan's does.
        depth_share: the depth as a share of the height, 0.4..0.92; less where the width is too small.
        gain: 0.2..3, 1 is usual.
        reject: how much is cut off at the dark end, 0..0.3.
        noise: electronic noise, 0..1.
        haze: reverberation near the probe, 0..1.
        shadow: shadows, 0..1.
        blur: how much wider speckle grows with depth, 0..1.
        variety: how far patients differ from the textbook, 0..1.5.
        beat_frames: frames from one heartbeat to the next, 4..200.

    Raises:
        TypeError, ValueError: an argument is not as above.

    Example:
        >>> import sectoraug as sa
        >>> clip = sa.phantom.make_clip("PSAX", frames=4, seed=1)
        >>> clip.frames.shape, clip.frames.dtype.name, bool(clip.overlay[:, clip.sector].any())
        ((4, 112, 112), 'uint8', False)
    """
    checks.choice(view, VIEWS, "view")
    frames, size = checks.whole(frames, 1, 4096, "frames"), image_size(size)
    seed = checks.whole(seed, 0, 2**32 - 1, "seed")
    if vendor is not None:
        checks.choice(vendor, VENDORS, "vendor")
    checks.choice(geometry, GEOMETRIES, "geometry")
    half_opening_deg = checks.number(half_opening_deg, 15, 48, "half_opening_deg")
    depth_share = checks.number(depth_share, 0.4, 0.92, "depth_share")
    settings = Settings(
        checks.number(gain, 0.2, 3, "gain"),
        checks.number(reject, 0, 0.3, "reject"),
        *(checks.number(v, 0, 1, name) for name, v in _shares(noise, haze, shadow, blur)),
    )
    variety = checks.number(variety, 0, 1.5, "variety")
    beat_frames = checks.number(beat_frames, 4, 200, "beat_frames")

    heart_rng, cut_rng, scan_rng, overlay_rng = (source(seed, 0, k) for k in range(4))
    beams = Beams(size, geometry, half_opening_deg, depth_share)
    scanner = Scanner(beams, settings, scan_rng)
    heart = Heart(view, heart_rng, cut_rng, variety).placed(beams.x, beams.y, (0.0, 0.0, 0.0))
    overlay = None if vendor is None else Overlay(vendor, size, overlay_rng)
    start = heart_rng.random()

    images = np.empty((frames, *size), np.uint8)
    burned = np.zeros((frames, *size), np.bool_)
    for k in range(frames):
        beats = start + k / beat_frames
        images[k] = scan(heart, scanner, beats)
        if overlay is not None:
            burned[k] = burn(images[k], overlay.frame(beats), beams.sector)
    return PhantomClip(images, beams.sector, view, burned)


def scan(heart: PlacedHeart, scanner: Scanner, beats: float) -> NDArray[np.uint8]:
    return scanner.frame(heart.echoes(beats, scanner.tissue), heart.shift(beats))


def burn(image: NDArray[np.uint8], canvas: NDArray[np.uint8], sector: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Write a canvas around the sector of an image and return where it wrote."""
    burned: NDArray[np.bool_] = (canvas > 0) & ~sector
    np.copyto(image, canvas, where=burned)
    return burned


def source(*key: int) -> np.random.Generator:
    """A source of its own for each key; PCG64 and SeedSequence never change, default_rng may."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _shares(*values: Any) -> list[tuple[str, Any]]:
    return list(zip(Settings._fields[2:], values, strict=True))


def image_size(size: Any) -> tuple[int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise TypeError(f"size is {checks.describe(size)}; expected (height, width) in pixels.")
    return checks.whole(size[0], 32, 1024, "height"), checks.whole(size[1], 32, 1024, "width")
