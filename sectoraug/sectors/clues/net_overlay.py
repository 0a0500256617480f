"""The network that tells text, rulers, marks and curves from echoes: a U-Net of 73,000 weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sectoraug.sectors.clues.net_model import block

_SHUFFLE = 2
_WIDTHS = (16, 32, 32)


class OverlayNet(nn.Module):
    """A small U-Net on half the resolution: strokes are a pixel wide, and need little around them.

    Examples:
        >>> import torch
        >>> from sectoraug.sectors.clues.net_overlay import OverlayNet
        >>> OverlayNet()(torch.zeros(1, 2, 256, 256)).shape
        torch.Size([1, 1, 256, 256])
    """

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.fine = block(2 * _SHUFFLE**2, fine)
        self.middle = block(fine, middle)
        self.coarse = block(middle, coarse)
        self.up_middle = block(coarse + middle, middle)
        self.up_fine = block(middle + fine, fine)
        self.head = nn.Conv2d(fine, _SHUFFLE**2, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, -3.0)  # overlay is rare

    def forward(self, images: Tensor) -> Tensor:
        """(B, 2, 256, 256) float32 of `net.planes` to logits (B, 1, 256, 256), above 0 where overlay is."""
        fine = self.fine(functional.pixel_unshuffle(images, _SHUFFLE))
        middle = self.middle(functional.max_pool2d(fine, 2))
        coarse = self.coarse(functional.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat([_doubled(coarse), middle], 1))
        fine = self.up_fine(torch.cat([_doubled(middle), fine], 1))
        return functional.pixel_shuffle(self.head(fine), _SHUFFLE)


def _doubled(plane: Tensor) -> Tensor:
    return functional.interpolate(plane, scale_factor=2.0, mode="bilinear")
