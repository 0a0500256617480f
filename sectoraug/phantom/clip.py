"""Synthetic echo: clips with true sectors, overlays, and shortcuts planted on purpose.

Not a simulation of sound: pictures with an echo's layout, whose every pixel is known. Frames follow from
the seed alone, on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.phantom.hearts import VIEWS as VIEWS
from sectoraug.phantom.hearts import Heart, PlacedHeart
from sectoraug.phantom.overlays import LAYOUTS, Overlay
from sectoraug.phantom.probe import GEOMETRIES, Beams, Scanner, Settings

VENDORS = tuple(LAYOUTS)
DOMAINS = ("train", "shifted")

# What a source of randomness is for; its place in the key keeps sources apart.
_PATIENT, _VIEW, _FRAME, _SITE = range(4)

PRESETS: dict[str, dict[str, Any]] = {
    "phantom-v1": {
        # In every domain layout k and opening k are the ones tied to VIEWS[k].
        "train": {
            "layouts": ("aster", "boreal", "cobalt", "dune"),
            "sites": (0, 1, 2, 3),
            "geometries": ("fan",),
            "half_openings_deg": (32.0, 36.0, 40.0, 44.0),
            "depth_share": (0.82, 0.88),
            "gain": (0.75, 1.25),
            "reject": (0.10, 0.17),
            "noise": (0.4, 0.9),
            "haze": (0.2, 0.8),
            "shadow": (0.3, 0.9),
            "blur": (0.3, 0.9),
        },
        "shifted": {
            "layouts": ("ember", "fjord", "grove", "harbor"),
            "sites": (4, 5, 6, 7),
            "geometries": ("fan",),
            "half_openings_deg": (34.0, 38.0, 42.0, 46.0),
            "depth_share": (0.80, 0.90),
            "gain": (0.65, 1.35),
            "reject": (0.07, 0.18),
            "noise": (0.3, 0.95),
            "haze": (0.1, 0.9),
            "shadow": (0.3, 0.9),
            "blur": (0.2, 0.9),
        },
        "frames_per_patient": 8,
        "variety": 1.0,
        "contrast": 1.0,
    },
    "benchmark-v1": {
        # For tables. The shifted sites share two vendors with the training sites, tied to other views there.
        "train": {
            "layouts": ("aster", "boreal", "cobalt", "dune"),
            "sites": (0, 1, 2, 3, 4, 5),
            "geometries": ("fan",),
            "half_openings_deg": (30.0, 34.0, 38.0, 42.0),
            "depth_share": (0.82, 0.90),
            "gain": (0.75, 1.25),
            "reject": (0.10, 0.17),
            "noise": (0.4, 0.9),
            "haze": (0.2, 0.8),
            "shadow": (0.3, 0.9),
            "blur": (0.3, 0.9),
        },
        "shifted": {
            "layouts": ("dune", "ember", "boreal", "grove"),
            "sites": (6, 7, 8, 9, 10, 11),
            "geometries": ("fan", "fan", "fan", "curved"),
            "half_openings_deg": (33.0, 37.0, 41.0, 45.0),
            "depth_share": (0.74, 0.90),
            "gain": (0.60, 1.45),
            "reject": (0.06, 0.19),
            "noise": (0.3, 1.0),
            "haze": (0.1, 1.0),
            "shadow": (0.3, 1.0),
            "blur": (0.2, 1.0),
        },
        "frames_per_patient": 8,
        "variety": 1.2,
        "contrast": 1.0,
    },
}
"""What `make_dataset` draws from, by name. A published preset never changes: a new one gets a new name."""


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


@dataclass(frozen=True)
class PhantomDataset:
    """N single frames, what is true of them, and how they belong together."""

    images: NDArray[np.uint8] = field(repr=False)
    """(N, H, W)."""
    sectors: NDArray[np.bool_] = field(repr=False)
    """(N, H, W); True inside."""
    labels: NDArray[np.int64]
    """(N,); index into VIEWS."""
    patients: NDArray[np.int64]
    """(N,); a number for each patient of this data set."""
    sites: NDArray[np.int64]
    """(N,); the site that the patient was seen at."""
    layouts: NDArray[np.int64]
    """(N,); the overlay's layout, an index into its domain's; the label's own number is the tied one."""
    outlines: NDArray[np.int64]
    """(N,); the sector's opening, an index into its domain's; numbered like `layouts`."""


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
    frames, size = _whole(frames, 1, 4096, "frames"), _size(size)
    seed = _whole(seed, 0, 2**32 - 1, "seed")
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

    heart_rng, cut_rng, scan_rng, overlay_rng = (_rng(seed, 0, k) for k in range(4))
    beams = Beams(size, geometry, half_opening_deg, depth_share)
    scanner = Scanner(beams, settings, scan_rng)
    heart = Heart(view, heart_rng, cut_rng, variety).placed(beams.x, beams.y, (0.0, 0.0, 0.0))
    overlay = None if vendor is None else Overlay(vendor, size, overlay_rng)
    start = heart_rng.random()

    images = np.empty((frames, *size), np.uint8)
    burned = np.zeros((frames, *size), np.bool_)
    for k in range(frames):
        beats = start + k / beat_frames
        images[k] = _scan(heart, scanner, beats)
        if overlay is not None:
            burned[k] = _burn(images[k], overlay.frame(beats), beams.sector)
    return PhantomClip(images, beams.sector, view, burned)


def make_dataset(
    n: int,
    shortcut: float = 0.95,
    outline_shortcut: float = 0.0,
    seed: int = 0,
    size: tuple[int, int] = (112, 112),
    *,
    domain: str = "train",
    preset: str = "phantom-v1",
) -> PhantomDataset:
    """Make single frames of many patients, with overlays and outlines that may give the label away.

    Views take turns, so labels are balanced; a patient gives several frames in a row, of every view,
    and belongs to one site, which has its own scanner settings.

    Args:
        n: how many frames, 1..1000000.
        shortcut: in 0..1, the probability that a frame's overlay layout is the one tied to its label;
            otherwise it is drawn uniformly from all layouts of the domain, the tied one among them.
            Under one seed it changes nothing inside the sectors.
        outline_shortcut: the same for the sector's opening angle.
        seed: a whole number in 0..2**32-1; another seed, or another domain, gives other patients.
        size: (H, W) in pixels, each 32..1024.
        domain: "train", or "shifted": other sites with other vendors' layouts, openings and settings.
        preset: a name in PRESETS.

    Raises:
        TypeError, ValueError: an argument is not as above.

    Example:
        >>> import sectoraug as sa
        >>> train = sa.phantom.make_dataset(16, shortcut=0.95, seed=0)
        >>> fair = sa.phantom.make_dataset(16, shortcut=0.0, seed=1, domain="shifted")
        >>> train.images.shape, train.labels[:5].tolist(), sorted(set(fair.sites.tolist()))
        ((16, 112, 112), [0, 1, 2, 3, 0], [4, 5])
    """
    n, size = _whole(n, 1, 1_000_000, "n"), _size(size)
    shortcut = checks.number(shortcut, 0, 1, "shortcut")
    outline_shortcut = checks.number(outline_shortcut, 0, 1, "outline_shortcut")
    seed = _whole(seed, 0, 2**32 - 1, "seed")
    checks.choice(domain, DOMAINS, "domain")
    checks.choice(preset, tuple(PRESETS), "preset")
    every, ranges = PRESETS[preset], PRESETS[preset][domain]
    variety = every["variety"]

    rows = np.arange(n)
    labels = rows % len(VIEWS)
    patients = rows // every["frames_per_patient"]
    sites = np.asarray(ranges["sites"])[patients % len(ranges["sites"])]
    images = np.empty((n, *size), np.uint8)
    sectors = np.empty((n, *size), np.bool_)
    layouts, outlines = np.empty(n, np.int64), np.empty(n, np.int64)
    which = 1 + DOMAINS.index(domain)
    for row in range(n):
        label, patient = int(labels[row]), int(patients[row])
        rng = _rng(seed, which, _FRAME, row)
        layouts[row] = _tied(label, shortcut, len(ranges["layouts"]), rng)
        outlines[row] = _tied(label, outline_shortcut, len(ranges["half_openings_deg"]), rng)
        opening = ranges["half_openings_deg"][outlines[row]] + 2 * rng.random() - 1
        geometry = ranges["geometries"][rng.integers(len(ranges["geometries"]))]
        offset = 0.04 * rng.random() - 0.02, 0.02 * rng.random()
        beams = Beams(size, geometry, opening, _within(ranges["depth_share"], rng), offset)
        # A site has its habits, and every frame strays from them by half the range.
        habits = _rng(0, which, _SITE, int(sites[row]))
        settings = Settings(
            *(
                0.5 * _within(ranges[name], habits) + 0.5 * _within(ranges[name], rng)
                for name in Settings._fields
            )
        )
        scanner = Scanner(beams, settings, rng)
        shared, own = _rng(seed, which, _PATIENT, patient), _rng(seed, which, _VIEW, patient, label)
        heart = Heart(VIEWS[label], shared, own, variety)
        jitter = 0.06 * rng.random() - 0.03, 0.06 * rng.random() - 0.03, 12 * rng.random() - 6
        beats = rng.random()
        images[row] = _scan(heart.placed(beams.x, beams.y, jitter), scanner, beats)
        overlay = Overlay(ranges["layouts"][layouts[row]], size, rng, every["contrast"])
        _burn(images[row], overlay.frame(beats + 5 * rng.random()), beams.sector)
        sectors[row] = beams.sector
    return PhantomDataset(images, sectors, labels, patients, sites, layouts, outlines)


def _scan(heart: PlacedHeart, scanner: Scanner, beats: float) -> NDArray[np.uint8]:
    return scanner.frame(heart.echoes(beats, scanner.tissue), heart.shift(beats))


def _burn(
    image: NDArray[np.uint8], canvas: NDArray[np.uint8], sector: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Write a canvas around the sector of an image and return where it wrote."""
    burned: NDArray[np.bool_] = (canvas > 0) & ~sector
    np.copyto(image, canvas, where=burned)
    return burned


def _tied(label: int, shortcut: float, n: int, rng: np.random.Generator) -> int:
    chance, other = rng.random(), int(rng.integers(n))
    return label if chance < shortcut else other


def _within(ends: tuple[float, float], rng: np.random.Generator) -> float:
    return ends[0] + (ends[1] - ends[0]) * rng.random()


def _rng(*key: int) -> np.random.Generator:
    """A source of its own for each key; PCG64 and SeedSequence never change, default_rng may."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _shares(*values: Any) -> list[tuple[str, Any]]:
    return list(zip(Settings._fields[2:], values, strict=True))


def _whole(value: Any, low: int, high: int, name: str) -> int:
    checks.number(value, low, high, name)
    if value != int(value):
        raise ValueError(f"{name} is {value}; expected a whole number in [{low}, {high}].")
    return int(value)


def _size(size: Any) -> tuple[int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise TypeError(f"size is {checks.describe(size)}; expected (height, width) in pixels.")
    return _whole(size[0], 32, 1024, "height"), _whole(size[1], 32, 1024, "width")
