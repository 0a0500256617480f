"""The sector of one frame, and what is written on it, by the networks that come with the package."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import as_file, files
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from sectoraug.reading.clips import to_grey
from sectoraug.sectors.clues.net_model import SIDE_PX, SectorNet, planes
from sectoraug.sectors.clues.net_overlay import OverlayNet

Net = TypeVar("Net", bound=nn.Module)
WEIGHTS, OVERLAY_WEIGHTS = "sector_net.safetensors", "overlay_net.safetensors"
_MARGIN = 0.2  # of the sector, left around it by the second look
_CLOSE_ENOUGH = 0.6  # share of the frame from which on a second look gains nothing
_IMPORTED_BY = os.getpid()


class Seen(NamedTuple):
    """What the network makes of a frame."""

    log_odds: NDArray[np.float32]
    """(H, W): above 0 inside the sector, in nepers."""
    overlay: NDArray[np.float32]
    """(H, W): the probability of text, a ruler, a mark or a curve, around the sector; 0 far from it."""
    single: float
    """Log-odds of the frame's showing one sector, so neither several nor a strip."""


def seen_by_net(frame: NDArray[Any], model: SectorNet | None = None) -> Seen:
    """Look at a frame; what covers little of it is looked at again, close up.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        model: another network; the package's own if left out.
    """
    model = default_net() if model is None else model
    grey = to_grey(frame)
    logits, single = _look(grey, model)
    # Specks far off are no reason to stay away.
    found = cv2.morphologyEx((logits > 0).view(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    around = _surroundings(found > 0, grey.shape)
    log_odds = _enlarged(logits, grey.shape)
    close = grey if around is None else grey[around]
    if around is not None:
        log_odds[around] = (log_odds[around] + _enlarged(_look(close, model)[0], close.shape)) / 2
    overlay = np.zeros(grey.shape, np.float32)
    overlay[around or ...] = _enlarged(_written(close), close.shape)
    return Seen(log_odds, overlay, single)


@cache
def default_net() -> SectorNet:
    """The network for sectors that comes with the package, read once."""
    return _loaded(SectorNet(), WEIGHTS)


@cache
def default_overlay_net() -> OverlayNet:
    """The network for overlay that comes with the package, read once."""
    return _loaded(OverlayNet(), OVERLAY_WEIGHTS)


def _loaded(model: Net, name: str) -> Net:
    with as_file(files("sectoraug.sectors.clues") / name) as path:
        model.load_state_dict({key: value.float() for key, value in load_file(path).items()}, strict=False)
    model.eval().to(memory_format=torch.channels_last)
    return model


def squeezed(grey: NDArray[Any]) -> NDArray[np.float32]:
    """(SIDE_PX, SIDE_PX), of a grey frame (H, W): a square, whatever its shape."""
    height, width = grey.shape
    how = cv2.INTER_AREA if min(height, width) >= SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=how), np.float32)


@cache
def _keep_to_own_threads(process: int) -> None:
    # A fork has none of its parent's threads, and torch would wait for them for ever.
    if process != _IMPORTED_BY:
        torch.set_num_threads(1)


def _look(grey: NDArray[Any], model: SectorNet) -> tuple[NDArray[np.float32], float]:
    """Logits (SIDE_PX, SIDE_PX) of a frame squeezed to a square, and the log-odds of one sector."""
    _keep_to_own_threads(os.getpid())
    with torch.inference_mode():
        answer = model(planes(torch.from_numpy(squeezed(grey))[None, None]))
    return answer.inside[0, 0].numpy(), float(answer.single)


def _written(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Probabilities (SIDE_PX, SIDE_PX) of overlay of a frame squeezed to a square."""
    _keep_to_own_threads(os.getpid())
    with torch.inference_mode():
        answer = default_overlay_net()(planes(torch.from_numpy(squeezed(grey))[None, None]))
    return np.asarray(answer[0, 0].sigmoid().numpy(), np.float32)


def _enlarged(logits: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(logits, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


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
