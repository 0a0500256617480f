"""The network that tells a sector from a single frame: a U-Net of 0.9 million weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE_PX = 128
_WIDTHS = (16, 32, 64, 96, 128)


class SectorNet(nn.Module):
    """U-Net (Ronneberger et al., 2015) on half the resolution in, put back by a pixel shuffle.

    Examples:
        >>> import torch
        >>> from sectoraug.sectors.clues.net_model import SectorNet
        >>> SectorNet()(torch.zeros(1, 2, 128, 128)).shape
        torch.Size([1, 1, 128, 128])
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(i, o) for i, o in zip((2 * 4, *_WIDTHS[:-1]), _WIDTHS, strict=True))
        wide = list(reversed(_WIDTHS))
        self.up = nn.ModuleList(_block(i + o, o) for i, o in pairwise(wide))
        self.head = nn.Conv2d(_WIDTHS[0], 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 2, 128, 128) float32 of `planes` to (B, 1, 128, 128) logits, above 0 inside the sector."""
        x = functional.pixel_unshuffle(images, 2)
        skips: list[Tensor] = []
        for depth, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = block(torch.cat([x, skips.pop()], 1))
        return functional.pixel_shuffle(self.head(x), 2)


def planes(grey: Tensor) -> Tensor:
    """(B, 1, H, W) grey levels 0..255 to the network's input: as they are, and on a logarithmic scale.

    The second plane shows the noise floor of dark echoes, a grey level or two above a black background.
    """
    return torch.cat([grey / 255, torch.log1p(grey) / 5.5452], 1)


def _block(inside: int, outside: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inside, outside):
        layers += [nn.Conv2d(channels, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside)]
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
