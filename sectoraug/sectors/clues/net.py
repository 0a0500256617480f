"""The sector of one frame, by the network that comes with the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from math import exp, log
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from sectoraug.reading.clips import to_grey
from sectoraug.sectors.clues.net_model import SIDE_PX, SectorNet, planes

WEIGHTS = "sector_net.safetensors"
_SLOPE, _BIAS = 1.75, -3.76
_MARGIN = 0.12  # of the sector, left around it by the second look
_CLOSE_ENOUGH = 0.6  # share of the frame from which on a second look gains nothing


class Seen(NamedTuple):
    """What the network makes of a frame."""

    sector: NDArray[np.bool_]
    """(H, W); True inside: the largest piece above a probability of one half, holes filled."""
    expected_iou: float
    """0..1: the sector's IoU with the truth if every pixel's probability is right."""


def sector_by_net(frame: NDArray[Any], model: SectorNet | None = None) -> Seen:
    """Find the sector of a frame.

    A sector that covers little of the frame is looked at again, close up.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        model: another network; the package's own if left out.
    """
    model = default_net() if model is None else model
    grey = to_grey(frame)
    height, width = grey.shape
    rows, columns = slice(0, height), slice(0, width)
    logits = _logits(grey, model)
    found = _largest(logits > 0)
    around = _surroundings(found, grey.shape)
    if around is not None:
        rows, columns = around
        logits = _logits(grey[rows, columns], model)
    inside = cv2.resize(logits, (columns.stop - columns.start, rows.stop - rows.start)) > 0
    sector = np.zeros(grey.shape, np.bool_)
    sector[rows, columns] = _largest(inside)
    return Seen(sector, _expected_iou(logits))


@cache
def default_net() -> SectorNet:
    """The network that comes with the package, read once."""
    model = SectorNet()
    with as_file(files("sectoraug.sectors.clues") / WEIGHTS) as path:
        model.load_state_dict({key: value.float() for key, value in load_file(path).items()}, strict=False)
    return model.eval().to(memory_format=torch.channels_last)


def quality_of(expected_iou: float) -> float:
    """The probability that the IoU is .95 or more: a logistic function of the expected IoU's logit.

    Fitted to single frames of real pictures, each judged by a network that had seen none of its source
    (`examples/sector_net/train.py`).
    """
    share = min(max(expected_iou, 1e-6), 1 - 1e-6)
    return 1 / (1 + exp(-(_SLOPE * log(share / (1 - share)) + _BIAS)))


def _logits(grey: NDArray[Any], model: SectorNet) -> NDArray[np.float32]:
    """(SIDE_PX, SIDE_PX), of a frame squeezed to a square."""
    small = cv2.resize(grey.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        found: NDArray[np.float32] = model(planes(torch.from_numpy(small)[None, None]))[0, 0].numpy()
    return found


def _expected_iou(logits: NDArray[np.float32]) -> float:
    probability = 1 / (1 + np.exp(-logits))
    inside = logits > 0
    return float(probability[inside].sum() / max(inside.sum() + probability[~inside].sum(), 1e-9))


def _largest(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece, holes filled."""
    outlines, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(inside.shape, np.uint8)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def _surroundings(found: NDArray[np.bool_], size: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Where in a frame of this size to look again; None if the sector fills most of it."""
    sides = []
    for axis, length in enumerate(size):
        (here,) = np.nonzero(found.any(1 - axis))
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
