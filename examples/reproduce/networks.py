"""The networks of the comparison, each with one input channel and the layer that GradCAM looks at."""

from __future__ import annotations

import torch
from resnet18 import ResNet18
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.vision_transformer import VisionTransformer

NETWORKS = ("resnet18", "vit-tiny", "convnext-tiny")
# At the paper's 1e-3 a ViT stays at chance for all of the small setting's epochs.
LEARNING_RATE_SHARE = {"resnet18": 1.0, "vit-tiny": 0.3, "convnext-tiny": 1.0}


def make_network(name: str, n_classes: int, size: int, stem: str = "3x3", width: int = 64) -> nn.Module:
    """One of NETWORKS for (B, 1, size, size) images.

    Args:
        stem: of the ResNet18.
        width: of the ResNet18's first stage; the others are made narrower in proportion, too.
    """
    if name == "resnet18":
        return ResNet18(n_classes, stem, width)
    return (vit_tiny if name == "vit-tiny" else convnext_tiny)(n_classes, size, width)


def cam_layer(name: str) -> str:
    """The last layer with a grid of the networks that are no ResNet18."""
    return {"vit-tiny": "encoder.layers.grid.plane", "convnext-tiny": "features"}[name]


def convnext_tiny(n_classes: int, _: int, width: int) -> nn.Module:
    """torchvision's ConvNeXt-tiny with every stage `width` / 64 as wide."""
    wide = [96 * width // 64 << k for k in range(4)]
    blocks = [CNBlockConfig(*each) for each in zip(wide, [*wide[1:], None], (3, 3, 9, 3), strict=True)]
    network = ConvNeXt(blocks, stochastic_depth_prob=0.1, num_classes=n_classes)
    network.features[0][0] = nn.Conv2d(1, wide[0], 4, stride=4)
    return network


def vit_tiny(n_classes: int, size: int, width: int) -> nn.Module:
    """ViT-Ti (12 blocks, 3 heads, 192 wide, times `width` / 64) with a 7x7 or 8x8 grid of patches."""
    patch = size // 7 if size % 7 == 0 else size // 8
    wide = 192 * width // 64
    network = VisionTransformer(size, patch, 12, 3, wide, 4 * wide, num_classes=n_classes)
    network.conv_proj = nn.Conv2d(1, wide, patch, stride=patch)
    # The class token alone is read after the last block, so the grid is shown in front of it.
    blocks = list(network.encoder.layers.named_children())
    network.encoder.layers = nn.Sequential()
    for name, block in (*blocks[:-1], ("grid", TokenGrid()), blocks[-1]):
        network.encoder.layers.add_module(name, block)
    return network


class TokenGrid(nn.Module):
    """Passes tokens (B, 1 + h*h, C) on, its patches through `plane` as (B, C, h, h)."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = nn.Identity()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        first, patches = tokens[:, :1], tokens[:, 1:]
        side = round(patches.shape[1] ** 0.5)
        plane = self.plane(patches.transpose(1, 2).unflatten(2, (side, side)))
        return torch.cat([first, plane.flatten(2).transpose(1, 2)], 1)
