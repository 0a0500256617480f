"""The network that tells a sector from a single frame: a U-Net of 1.8 million weights."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_SHUFFLE = 4
_WIDTHS = (32, 64, 96, 128, 160)


class Answer(NamedTuple):
    """What the network says of a batch of frames."""

    inside: Tensor
    """(B, 1, 256, 256) logits, above 0 inside the sector."""
    overlay: Tensor
    """(B, 1, 256, 256) logits of the share of a pixel that is overlay: coarse, a second task to learn by."""
    single: Tensor
    """(B,) logits, above 0 where a frame shows one sector rather than several, or a strip."""


class SectorNet(nn.Module):
    """U-Net (Ronneberger et al., 2015) on a quarter of the resolution, put back by a pixel shuffle.

    Examples:
        >>> import torch
        >>> from sectoraug.sectors.clues.net_model import SectorNet
        >>> SectorNet()(torch.zeros(1, 2, 256, 256)).inside.shape
        torch.Size([1, 1, 256, 256])
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = (2 * _SHUFFLE**2, *_WIDTHS[:-1])
        self.down = nn.ModuleList(block(i, o) for i, o in zip(inputs, _WIDTHS, strict=True))
        wide = list(reversed(_WIDTHS))
        self.up = nn.ModuleList(block(i + o, o) for i, o in pairwise(wide))
        self.head = nn.Conv2d(_WIDTHS[0], 2 * _SHUFFLE**2, 1)
        self.single = nn.Linear(2 * _WIDTHS[-1], 1)

    def forward(self, images: Tensor) -> Answer:
        """(B, 2, 256, 256) float32 of `net.planes` to the network's answer."""
        x = functional.pixel_unshuffle(images, _SHUFFLE)
        skips: list[Tensor] = []
        for depth, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        del skips[-1]
        single = self.single(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))[:, 0]
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = block(torch.cat([x, skips.pop()], 1))
        both = functional.pixel_shuffle(self.head(x), _SHUFFLE)
        return Answer(both[:, :1], both[:, 1:], single)


def block(inside: int, outside: int) -> nn.Sequential:
    """Two convolutions, each normalised over the batch."""
    layers: list[nn.Module] = []
    for channels in (inside, outside):
        layers += [nn.Conv2d(channels, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside)]
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
