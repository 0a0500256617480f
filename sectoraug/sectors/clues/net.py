"""The sector of one frame, and what is written on it, by the networks that come with the package.

Which library computes them is an engine's affair: a module of two functions, beside this one.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sectoraug import checks
from sectoraug.reading.clips import to_grey
from sectoraug.sectors.clues.coloured import coloured_strokes

Planes = NDArray[np.float32]
"""(B, 2, SIDE_PX, SIDE_PX), as `planes` makes them."""

ENGINES = ("torch", "onnx")
SIDE_PX = 256
_DARKEST = 0.1  # share of a frame
_MARGIN = 0.2  # of the sector, left around it by the second look
_CLOSE_ENOUGH = 0.6  # share of the frame from which on a second look gains nothing


class Engine(Protocol):
    """What computes the networks that come with the package, of one frame's planes."""

    def sector_logits(self, seen: Planes) -> tuple[NDArray[np.float32], float]:
        """(SIDE_PX, SIDE_PX), above 0 inside the sector, and the log-odds of one sector."""

    def overlay_logits(self, seen: Planes) -> NDArray[np.float32]:
        """(SIDE_PX, SIDE_PX), above 0 where overlay is."""


class Seen(NamedTuple):
    """What the network makes of a frame."""

    log_odds: NDArray[np.float32]
    """(H, W): above 0 inside the sector, in nepers."""
    overlay: NDArray[np.float32]
    """(H, W): the probability of text, a ruler, a mark or a curve, around the sector; 0 far from it."""
    single: float
    """Log-odds of the frame's showing one sector, so neither several nor a strip."""


def seen_by_net(frame: NDArray[Any], engine: str = "torch") -> Seen:
    """Look at a frame, and close up at what covers little of it; thin strokes of a colour are overlay.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        engine: one of ENGINES.

    Raises:
        ImportError: the engine's library is not installed.
    """
    net = engine_named(engine)
    grey = to_grey(frame)
    whole = planes(squeezed(grey)[None, None])
    logits, single = net.sector_logits(whole)
    # Specks far off are no reason to stay away.
    found = cv2.morphologyEx((logits > 0).view(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    around = _surroundings(found > 0, grey.shape)
    log_odds = _enlarged(logits, grey.shape)
    close, size = whole, grey.shape
    if around is not None:
        close, size = planes(squeezed(grey[around])[None, None]), grey[around].shape
        log_odds[around] = (log_odds[around] + _enlarged(net.sector_logits(close)[0], size)) / 2
    overlay = np.zeros(grey.shape, np.float32)
    overlay[around or ...] = _enlarged(expit(net.overlay_logits(close)), size)
    overlay[coloured_strokes(frame)] = 1
    return Seen(log_odds, overlay, single)


def engine_named(name: str) -> Engine:
    """The module that computes the networks, imported when asked for."""
    if checks.choice(name, ENGINES, "engine") == "onnx":
        from sectoraug.sectors.clues import net_onnx  # imports onnxruntime

        return net_onnx
    from sectoraug.sectors.clues import net_torch  # imports torch

    return net_torch


def squeezed(grey: NDArray[Any]) -> NDArray[np.float32]:
    """(SIDE_PX, SIDE_PX), of a grey frame (H, W): a square, whatever its shape."""
    height, width = grey.shape
    how = cv2.INTER_AREA if min(height, width) >= SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=how), np.float32)


def planes(grey: NDArray[np.float32]) -> Planes:
    """(B, 1, H, W) grey levels 0..255 to the networks' input: as they are, and on a logarithmic scale.

    The second plane shows the noise floor of dark echoes, a grey level or two above the darkest tenth of
    the frame.
    """
    darkest = np.quantile(grey, _DARKEST, axis=(2, 3), keepdims=True).astype(np.float32)
    return np.concatenate([grey / 255, np.log1p(np.maximum(grey - darkest, 0)) / np.float32(5.5452)], 1)


def _enlarged(plane: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _surroundings(found: NDArray[np.bool_], size: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Where in a frame of this size to look again; None if the sector fills most of it."""
    sides = []
    for axis, length in enumerate(size):
        here = np.flatnonzero(found.any(1 - axis))
        if not len(here):
            return None
        start, stop = here[0] / SIDE_PX, (here[-1] + 1) / SIDE_PX
        margin = _MARGIN * (stop - start)
        sides.append(
            slice(max(0, int((start - margin) * length)), min(length, int((stop + margin) * length) + 1))
        )
    rows, columns = sides
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (size[0] * size[1])
    return None if share > _CLOSE_ENOUGH else (rows, columns)
