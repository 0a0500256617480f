"""How far two masks agree."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def iou(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Intersection over union of two masks (H, W), 0..1; nonzero inside. 0 where both are empty."""
    a, b = one != 0, other != 0
    return float((a & b).sum()) / max(int((a | b).sum()), 1)
