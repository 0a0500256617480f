"""A small network to look into."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

import sectoraug as sa


class Net(nn.Module):
    """Two blocks with a skip connection, in-place ReLUs and batch norm, as in a ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True))
        self.relu = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(1, 1, 1)
        self.head = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(images)))
        x = functional.relu_(self.block(x) + x)
        return self.head(x.mean((2, 3)))


def cam_of(model: nn.Module, layer: Any, images: Tensor, target: Any = None) -> Tensor:
    with sa.GradCAM(model, layer) as gradcam:
        return gradcam(images, target)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
