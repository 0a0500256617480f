"""What sound does on its way: attenuation and shadows, which stay the same over a clip.

After EchoJEPA's robustness table (Munim et al., arXiv 2602.02603). Images are log-compressed, so that what
weakens sound by so many decibels takes so much from the grey level.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

KINDS = ("attenuation", "shadow")
ATTENUATION = 0.6
"""Grey level lost at the deepest point at strength 1, in 0..1: 36 of 60 dB."""
SHADOW = 0.7
"""Grey level lost in the middle of a shadow at strength 1."""


def attenuated(images: Tensor, sectors: Tensor, strength: Tensor) -> Tensor:
    """(B, 1, H, W) images in 0..1, darker with depth inside (B, H, W) bool sectors.

    `strength` is (B,) in 0..1.
    """
    depth, _ = polar(sectors)
    lost = ATTENUATION * strength[:, None, None] * depth
    return (images - (lost * sectors)[:, None]).clamp_min(0)


def shadowed(images: Tensor, sectors: Tensor, strength: Tensor, draws: Tensor) -> Tensor:
    """The same with a shadow along the beams.

    `draws` (B, 3) in 0..1 say where it is, how wide and from which depth on.
    """
    depth, angle = polar(sectors)
    middle, width, start = (draws[:, k, None, None] for k in range(3))
    middle, width, start = 1.2 * middle - 0.6, 0.08 + 0.12 * width, 0.1 + 0.3 * start
    across = torch.exp(-(((angle - middle) / width) ** 2) / 2)
    below = torch.sigmoid((depth - start) / 0.03)
    lost = SHADOW * strength[:, None, None] * across * below
    return (images - (lost * sectors)[:, None]).clamp_min(0)


def polar(sectors: Tensor) -> tuple[Tensor, Tensor]:
    """Of each pixel of (B, H, W) bool sectors: the depth, 0 at the probe and 1 at the deepest, and the angle.

    Angles are in radians from straight down, about the middle of each sector's first rows.
    """
    height, width = sectors.shape[1:]
    rows = torch.arange(height, device=sectors.device).view(1, -1, 1)
    columns = torch.arange(width, device=sectors.device).view(1, 1, -1)
    filled = sectors.any(2)
    first = filled.int().argmax(1).view(-1, 1, 1)
    last = height - 1 - filled.flip(1).int().argmax(1).view(-1, 1, 1)
    face = sectors & (rows < first + max(1, height // 16))
    middle = (face * columns).sum((1, 2), keepdim=True) / face.sum((1, 2), keepdim=True).clamp_min(1)
    depth = (rows - first) / (last - first).clamp_min(1)
    return depth.expand(sectors.shape), torch.atan2(columns - middle, (rows - first + 1.0).clamp_min(1.0))


def damaged(images: Tensor, sectors: Tensor, kind: str, strength: float, clips: Tensor) -> Tensor:
    """Images of a test, all frames of a clip alike.

    `kind` is one of KINDS; `clips` (B,) tells which clip a frame is of, from 0.
    """
    strengths = torch.full((len(images),), strength)
    if kind == "attenuation":
        return attenuated(images, sectors, strengths)
    generator = torch.Generator().manual_seed(math.floor(1000 * strength))
    draws = torch.rand(int(clips.max()) + 1, 3, generator=generator)
    return shadowed(images, sectors, strengths, draws[clips])
