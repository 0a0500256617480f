"""The textbook hearts of four views: where they have walls, blood and valves.

Lengths are in units of the image's depth: (0, 0) is the middle of the probe's face, y = 1 the deepest
point.
"""

from __future__ import annotations

from typing import NamedTuple

VIEWS = ("PLAX", "PSAX", "A2C", "A4C")


class Chamber(NamedTuple):
    """An egg of blood in a wall; systole (0..1) shrinks, drifts and thickens it."""

    x: float
    y: float
    a: float  # half axes, a across and b along
    b: float
    tilt_deg: float
    taper: float  # how much wider (a) the far end is
    wall: float
    squeeze_a: float  # share of a lost in systole; atria gain
    squeeze_b: float
    drift: float  # along b, in systole


class Blade(NamedTuple):
    """A leaflet, a muscle or a bright fold that swings about one end as valves open."""

    x: float
    y: float
    length: float
    width: float
    shut_deg: float  # 0 points right, 90 down
    open_deg: float
    level: float
    drift: float  # of the hinge, towards the probe, in systole
    arterial: bool = False  # opens in systole


# Each view: its chambers (later ones in front), its blades, and the pericardium, a bright line along an
# ellipse (x, y, a, b).
HEARTS: dict[str, tuple[tuple[Chamber, ...], tuple[Blade, ...], tuple[float, ...]]] = {
    "PLAX": (
        (
            Chamber(-0.06, 0.22, 0.30, 0.055, 8, 0.0, 0.03, 0.10, 0.20, 0.0),
            Chamber(-0.15, 0.48, 0.29, 0.125, -14, 0.0, 0.075, 0.10, 0.30, 0.0),
            Chamber(0.27, 0.37, 0.19, 0.060, -16, 0.0, 0.03, -0.04, -0.08, 0.0),
            Chamber(0.25, 0.58, 0.16, 0.105, -12, 0.0, 0.03, -0.12, -0.16, 0.0),
        ),
        (
            Blade(0.10, 0.46, 0.17, 0.013, 125, 195, 1.2, 0.02),
            Blade(0.09, 0.64, 0.11, 0.013, -75, -150, 1.1, 0.02),
            Blade(0.14, 0.37, 0.09, 0.010, 75, 0, 1.2, 0.0, True),
        ),
        (0.0, 0.36, 0.52, 0.37),
    ),
    "PSAX": (
        (
            Chamber(-0.16, 0.35, 0.27, 0.17, -35, 0.0, 0.03, 0.08, 0.14, 0.0),
            Chamber(0.05, 0.50, 0.185, 0.18, 0, 0.0, 0.10, 0.26, 0.26, 0.0),
        ),
        (
            Blade(0.19, 0.58, 0.10, 0.042, 215, 215, 0.45, 0.0),
            Blade(-0.08, 0.61, 0.10, 0.042, -35, -35, 0.45, 0.0),
        ),
        (0.03, 0.47, 0.33, 0.34),
    ),
    "A2C": (
        (
            Chamber(0.00, 0.40, 0.145, 0.27, 0, 0.22, 0.075, 0.28, 0.10, 0.03),
            Chamber(0.02, 0.80, 0.155, 0.115, 0, 0.0, 0.03, -0.12, -0.16, -0.02),
        ),
        (
            Blade(-0.15, 0.675, 0.15, 0.013, 8, -58, 1.2, 0.05),
            Blade(0.16, 0.675, 0.15, 0.013, 172, 238, 1.2, 0.05),
        ),
        (0.0, 0.52, 0.27, 0.46),
    ),
    "A4C": (
        (
            Chamber(-0.20, 0.45, 0.105, 0.20, -12, 0.25, 0.035, 0.20, 0.12, 0.03),
            Chamber(0.10, 0.41, 0.130, 0.27, 4, 0.22, 0.070, 0.28, 0.10, 0.03),
            Chamber(-0.18, 0.78, 0.125, 0.105, 0, 0.0, 0.03, -0.12, -0.16, -0.02),
            Chamber(0.14, 0.80, 0.130, 0.110, 0, 0.0, 0.03, -0.12, -0.16, -0.02),
        ),
        (
            Blade(-0.01, 0.675, 0.13, 0.013, 8, -62, 1.2, 0.05),
            Blade(0.26, 0.675, 0.13, 0.013, 172, 238, 1.2, 0.05),
            Blade(-0.05, 0.650, 0.12, 0.012, 175, 235, 1.1, 0.05),
            Blade(-0.30, 0.660, 0.11, 0.012, 5, -60, 1.1, 0.05),
        ),
        (0.0, 0.52, 0.40, 0.46),
    ),
}
