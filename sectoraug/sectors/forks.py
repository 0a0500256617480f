"""A fork has none of its parent's threads: libraries that count on them there wait for ever, now and then."""

from __future__ import annotations

import os
import sys
from functools import cache

import cv2

_IMPORTED_BY = os.getpid()


def keep_to_own_thread() -> None:
    """In a fork, have OpenCV, and torch if it is there, compute on the caller's thread alone."""
    _keep(os.getpid())


@cache
def _keep(process: int) -> None:
    if process == _IMPORTED_BY:
        return
    cv2.setNumThreads(0)  # 1 would first join the threads that are not there
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
