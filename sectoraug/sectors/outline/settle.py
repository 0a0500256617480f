"""Settling an outline's sides where there is life: drawn in from what is dead, pushed out over what lives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.edges import (
    BOTTOM_ARC,
    BOTTOM_CUT,
    LEFT,
    LEFT_CUT,
    RIGHT,
    RIGHT_CUT,
    TOP_ARC,
    TOP_CUT,
    along,
)
from sectoraug.sectors.outline.geometry import SectorGeometry

_MOST_STEPS = 25  # of 0.6% of the longer side: what is further off is not this side's edge


def settle(shape: SectorGeometry, alive: NDArray[np.bool_], surely: NDArray[np.bool_]) -> SectorGeometry:
    """Draw in sides along which nothing is alive, and push out sides beyond which there is life.

    Shadows and poor contact leave a side so dark that its edge cannot be seen, yet not dead: some pixels
    flicker. Background is dead. A side moves out while at least half of its length has a living pixel next
    to it, so that what crosses it in one place, such as an ECG, does not count.

    Args:
        shape: the outline.
        alive: (H, W), what moves at all.
        surely: (H, W), what moves more than a codec's halo.
    """
    step = max(1.0, 0.006 * max(alive.shape))
    # Codecs smear edges over their blocks of 8 pixels.
    halo = min(max(3.0, 0.03 * max(alive.shape)), 9.0)
    for side in range(LEFT_CUT if shape.apex_px is None else LEFT, BOTTOM_CUT + 1):
        drawn_in = _drawn_in(shape, side, step, alive)
        shape = drawn_in or _pushed_out(shape, side, step, halo, surely) or shape
    return shape


def _drawn_in(
    shape: SectorGeometry, side: int, step: float, alive: NDArray[np.bool_]
) -> SectorGeometry | None:
    moved: SectorGeometry | None = shape
    for k in range(_MOST_STEPS):
        if moved is None:
            return None
        if _lively_share(moved, side, -0.5 - step / 2, step, alive) > 0:
            return moved if k else None
        moved = _pushed(moved, side, -step)
    return None


def _pushed_out(
    shape: SectorGeometry, side: int, step: float, halo: float, surely: NDArray[np.bool_]
) -> SectorGeometry | None:
    moved: SectorGeometry | None = shape
    for k in range(_MOST_STEPS):
        if moved is None:
            return None
        if _lively_share(moved, side, halo + step, 2 * step, surely) < 0.5:
            # The last of it lies within the halo's distance.
            while k and moved and _lively_share(moved, side, 0.5 + step / 2, step, surely) >= 0.5:
                moved = _pushed(moved, side, step)
            return moved if k else None
        moved = _pushed(moved, side, step)
    return None


def _lively_share(
    shape: SectorGeometry, side: int, offset_px: float, thick_px: float, alive: NDArray[np.bool_]
) -> float:
    """Share of twelve lengths of a side with something alive in a strip at this distance outside it.

    1 (inside) or 0 (outside) where the image shows too little of that side.
    """
    _, x, y, nx, ny = along(shape, alive.shape, 192, visible=offset_px > 0, only=side)
    if len(x) < 24:
        return 1.0 if offset_px < 0 else 0.0
    across = np.arange(-thick_px / 2, thick_px / 2 + 0.01, 1.0)[:, None] + offset_px
    columns = np.clip(np.rint(x + across * nx).astype(np.intp), 0, alive.shape[1] - 1)
    rows = np.clip(np.rint(y + across * ny).astype(np.intp), 0, alive.shape[0] - 1)
    hit = np.asarray(alive[rows, columns].any(0))
    starts = np.linspace(0, len(hit), 12, endpoint=False).astype(np.intp)
    return float(np.logical_or.reduceat(hit, starts).mean())


def _pushed(shape: SectorGeometry, side: int, by_px: float) -> SectorGeometry | None:
    """The outline with one side moved outwards; None where nothing would be left of it."""
    left, top, right, bottom = shape.box_px
    (start, end), (near, far) = shape.angles_rad, shape.radii_px
    turn = by_px / max(0.6 * far, 1e-9)
    changes: dict[int, dict[str, Any]] = {
        LEFT: {"angles_rad": (start - turn, end)},
        RIGHT: {"angles_rad": (start, end + turn)},
        TOP_ARC: {"radii_px": (max(near - by_px, 0.0), far)},
        BOTTOM_ARC: {"radii_px": (near, far + by_px)},
        LEFT_CUT: {"box_px": (left - by_px, top, right, bottom)},
        TOP_CUT: {"box_px": (left, top - by_px, right, bottom)},
        RIGHT_CUT: {"box_px": (left, top, right + by_px, bottom)},
        BOTTOM_CUT: {"box_px": (left, top, right, bottom + by_px)},
    }
    try:
        return replace(shape, **changes[side])
    except ValueError:
        return None
