"""torchvision's ResNet18 for grey images, as wide as there is time for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

STEMS = ("3x3", "torchvision")


class ResNet18(ResNet):
    """For (B, 1, H, W) images.

    Args:
        stem: "3x3" (stride 1, no max-pool: the BackMix authors' code) or "torchvision" (7x7, max-pool).
        width: channels of the first stage, 64 in the paper; the others are narrower in proportion, and time
            falls nearly with its square. 16 and 32 are cheaper; 8 crashed torch 2.15 on a CPU.
    """

    def __init__(self, n_classes: int, stem: str = "torchvision", width: int = 64) -> None:
        self.width = width
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=n_classes)
        if width != 64:
            self.bn1 = nn.BatchNorm2d(width)
            self.fc = nn.Linear(8 * width, n_classes)
        if stem == "3x3":
            self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)

    def _make_layer(self, block: Any, planes: int, *args: Any, **kwargs: Any) -> nn.Sequential:
        if planes == 64:
            self.inplanes = self.width
        return super()._make_layer(block, planes * self.width // 64, *args, **kwargs)

    def by_stage(self) -> tuple[nn.Sequential, ...]:
        return self.layer1, self.layer2, self.layer3, self.layer4

    def stages(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What the four stages give, from fine to coarse."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return [x := stage(x) for stage in self.by_stage()]
