"""What is asked of a clip without labels: the order of its pieces, how it is turned, how fast it runs.

All of it is asked inside the largest square of the sector, turned or not, so that no outline and nothing
burned in beside it can answer.
"""

from __future__ import annotations

from itertools import permutations

import cv2
import numpy as np
import torch
from clips import Clips
from torch import Tensor

PIECES = torch.tensor([order for order in permutations(range(4)) if order < order[::-1]])
"""Orders of four pieces; of an order and its reverse only one, as Lee et al. (2017) count them."""
PACES = (1, 2, 3)
CHOICES = {"sorting": len(PIECES), "rotation": 4, "pace": len(PACES)}
STRIDE = 1
"""Frames from one shown to the next where pace is not asked: 16 frames are two thirds of a phantom beat."""


def largest_square(sector: np.ndarray) -> tuple[int, int, int]:
    """First row, first column and side in pixels of the largest square inside (H, W) bool.

    Of several the one whose middle is nearest to the sector's.
    """
    if not sector.any():
        raise ValueError("the sector is all False; expected True inside: find the sector first.")
    sums = np.pad(sector.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    middle = np.argwhere(sector).mean(0)
    for side in range(min(sector.shape), 0, -1):
        inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        corners = np.argwhere(inside == side * side)
        if len(corners):
            away = np.square(corners + (side - 1) / 2 - middle).sum(1)
            row, column = corners[away.argmin()]
            return int(row), int(column), side
    raise AssertionError("one pixel is a square")


def cropped(clips: Clips, size: int) -> Clips:
    """Clips of (size, size) pixels that show the largest square of their sector, a pixel in from its edge."""
    frames = np.empty((*clips.frames.shape[:2], size, size), np.uint8)
    for clip, sector, crop in zip(clips.frames, clips.sectors, frames, strict=True):
        # Pixels on the edge may be mixed with what lies outside.
        deep = cv2.erode(np.pad(sector, 1).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
        row, column, side = largest_square(deep)
        way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        for k, frame in enumerate(clip):
            square = frame[row : row + side, column : column + side]
            crop[k] = cv2.resize(square, (size, size), interpolation=way)
    sectors = np.ones((len(frames), size, size), bool)
    return Clips(frames, sectors, clips.labels, clips.patients)


def windows(clips: Tensor, length: int, pace: Tensor) -> Tensor:
    """(B, length, H, W) from (B, T, H, W): from a random start, every `pace`-th frame."""
    last = clips.shape[1] - 1 - (length - 1) * pace
    start = (torch.rand(len(clips)) * (last + 1)).long()
    times = start[:, None] + torch.arange(length) * pace[:, None]
    return clips[torch.arange(len(clips))[:, None], times]


def posed(task: str, clips: Tensor, length: int, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A pretext task's clips (B, length, H, W) and answers (B,); for `supervised` the labels."""
    n = len(clips)
    if task == "pace":
        answers = torch.randint(len(PACES), (n,))
        return windows(clips, length, torch.tensor(PACES)[answers]), answers
    shown = windows(clips, length, torch.full((n,), STRIDE))
    if task == "sorting":
        answers = torch.randint(len(PIECES), (n,))
        pieces = shown.unflatten(1, (4, length // 4))
        return pieces[torch.arange(n)[:, None], PIECES[answers]].flatten(1, 2), answers
    if task == "rotation":
        answers = torch.randint(4, (n,))
        turned = [torch.rot90(clip, int(k), (1, 2)) for clip, k in zip(shown, answers, strict=True)]
        return torch.stack(turned), answers
    return shown, labels
