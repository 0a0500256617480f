"""Single frames of many patients, whose overlays and outlines may give the label away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.phantom.anatomy import VIEWS
from sectoraug.phantom.clip import burn, image_size, scan, source
from sectoraug.phantom.hearts import Heart
from sectoraug.phantom.overlays import Overlay
from sectoraug.phantom.presets import DOMAINS, PRESETS
from sectoraug.phantom.probe import Beams, Scanner, Settings

# What a source of randomness is for; its place in the key keeps sources apart.
_PATIENT, _VIEW, _FRAME, _SITE = range(4)


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
    n, size = checks.whole(n, 1, 1_000_000, "n"), image_size(size)
    shortcut = checks.number(shortcut, 0, 1, "shortcut")
    outline_shortcut = checks.number(outline_shortcut, 0, 1, "outline_shortcut")
    seed = checks.whole(seed, 0, 2**32 - 1, "seed")
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
        rng = source(seed, which, _FRAME, row)
        layouts[row] = _tied(label, shortcut, len(ranges["layouts"]), rng)
        outlines[row] = _tied(label, outline_shortcut, len(ranges["half_openings_deg"]), rng)
        opening = ranges["half_openings_deg"][outlines[row]] + 2 * rng.random() - 1
        geometry = ranges["geometries"][rng.integers(len(ranges["geometries"]))]
        offset = 0.04 * rng.random() - 0.02, 0.02 * rng.random()
        beams = Beams(size, geometry, opening, _within(ranges["depth_share"], rng), offset)
        # A site has its habits, and every frame strays from them by half the range.
        habits = source(0, which, _SITE, int(sites[row]))
        scanner = Scanner(beams, _settings(ranges, habits, rng), rng)
        shared, own = source(seed, which, _PATIENT, patient), source(seed, which, _VIEW, patient, label)
        heart = Heart(VIEWS[label], shared, own, variety)
        jitter = 0.06 * rng.random() - 0.03, 0.06 * rng.random() - 0.03, 12 * rng.random() - 6
        beats = rng.random()
        images[row] = scan(heart.placed(beams.x, beams.y, jitter), scanner, beats)
        overlay = Overlay(ranges["layouts"][layouts[row]], size, rng, every["contrast"])
        burn(images[row], overlay.frame(beats + 5 * rng.random()), beams.sector)
        sectors[row] = beams.sector
    return PhantomDataset(images, sectors, labels, patients, sites, layouts, outlines)


def _settings(ranges: dict[str, Any], habits: np.random.Generator, rng: np.random.Generator) -> Settings:
    return Settings(
        *(0.5 * _within(ranges[name], habits) + 0.5 * _within(ranges[name], rng) for name in Settings._fields)
    )


def _tied(label: int, shortcut: float, n: int, rng: np.random.Generator) -> int:
    chance, other = rng.random(), int(rng.integers(n))
    return label if chance < shortcut else other


def _within(ends: tuple[float, float], rng: np.random.Generator) -> float:
    return ends[0] + (ends[1] - ends[0]) * rng.random()
