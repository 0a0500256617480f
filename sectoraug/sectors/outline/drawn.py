"""From a sector that somebody drew, or that was found long ago, back to its outline as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.likely import most_likely

_SURE = 8.0  # log-odds of each pixel


def fit_outline(sector: NDArray[Any]) -> SectorGeometry:
    """The outline of a sector: apex, sides, arcs and cuts, fitted to its mask.

    For masks that come without one, as drawn ones do. Fit it at the image's own aspect ratio and use `scaled`
    after a stretch, which makes arcs elliptic.

    Args:
        sector: (H, W), bool or uint8 of 0/1 or 0/255; nonzero inside.

    Returns:
        A SectorGeometry. `rasterise` draws it: compare it with the sector where it matters, since not every
        mask is a sector.

    Raises:
        TypeError, ValueError: `sector` is not as above, or empty.

    Examples:
        >>> import sectoraug as sa
        >>> sector = sa.phantom.make_clip(frames=2).sector
        >>> drawn = sa.fit_outline(sector).rasterise(sector.shape)
        >>> bool((drawn & sector).sum() > 0.97 * (drawn | sector).sum())
        True
    """
    inside = checks.sector(sector) != 0
    found = most_likely(np.where(inside, _SURE, -_SURE).astype(np.float32))
    assert found is not None, "there are pixels inside"
    return found.shape
