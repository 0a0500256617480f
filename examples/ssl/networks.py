"""Encoders of frames and of clips: torchvision's ResNet18 and r3d_18, or narrow ones of half their depth."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock
from torchvision.models.video import r3d_18
from torchvision.models.video.resnet import BasicBlock as ClipBlock
from torchvision.models.video.resnet import Conv3DSimple


class Encoder(nn.Sequential):
    """(B, 1, H, W) to (B, n_features), with torchvision's names of layers; H and W multiples of 32."""

    n_features: int

    def maps(self, images: Tensor) -> Tensor:
        """(B, n_features, H / 32, W / 32): the features before they are averaged."""
        for module in list(self)[:-2]:
            images = module(images)
        return images


def make_encoder(name: str) -> Encoder:
    """`resnet18`, or `narrowN`: a block a layer, N features in the first."""
    if name == "resnet18":
        layers = OrderedDict(list(resnet18().named_children())[:-1])
        layers["conv1"] = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        n_features = 512
    else:
        width = int(name.removeprefix("narrow"))
        layers = OrderedDict(
            conv1=nn.Conv2d(1, width, 3, 2, 1, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, 2, 1),
            layer1=block(width, width, 1),
            layer2=block(width, 2 * width, 2),
            layer3=block(2 * width, 4 * width, 2),
            layer4=block(4 * width, 8 * width, 2),
            avgpool=nn.AdaptiveAvgPool2d(1),
        )
        n_features = 8 * width
    encoder = Encoder(OrderedDict(layers, flatten=nn.Flatten()))
    encoder.n_features = n_features
    return encoder.to(memory_format=torch.channels_last)


def block(n_in: int, n_out: int, stride: int) -> nn.Module:
    shrink = None
    if stride > 1:
        shrink = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
    return BasicBlock(n_in, n_out, stride, shrink)


def make_clip_network(name: str, n_classes: int) -> nn.Module:
    """(B, 2, T, H, W) to (B, n_classes): `r3d_18`, or `narrowN`, a block a layer, N features in the first."""
    width = 64 if name == "r3d_18" else int(name.removeprefix("narrow"))
    stem = nn.Conv3d(2, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
    if name == "r3d_18":
        network = r3d_18(num_classes=n_classes)
        network.stem[0] = stem
        return network
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(stem, nn.BatchNorm3d(width), nn.ReLU(inplace=True)),
            layer1=clip_block(width, width, 1),
            layer2=clip_block(width, 2 * width, 2),
            layer3=clip_block(2 * width, 4 * width, 2),
            layer4=clip_block(4 * width, 8 * width, 2),
            avgpool=nn.AdaptiveAvgPool3d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(8 * width, n_classes),
        )
    )


def clip_block(n_in: int, n_out: int, stride: int) -> nn.Module:
    shrink = None
    if stride > 1:
        shrink = nn.Sequential(nn.Conv3d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm3d(n_out))
    return ClipBlock(n_in, n_out, Conv3DSimple, stride, shrink)


def imagenet_encoder(path: Path) -> Encoder:
    """ResNet18 from torchvision's weights that you have downloaded; colours of the stem are summed."""
    if path.suffix == ".safetensors":
        weights = load_file(path)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    weights["conv1.weight"] = weights["conv1.weight"].sum(1, keepdim=True)
    encoder = make_encoder("resnet18")
    encoder.load_state_dict({key: value for key, value in weights.items() if not key.startswith("fc.")})
    return encoder


class Decoder(nn.Sequential):
    """(B, n_features, h, w) to an image (B, 1, 32 h, 32 w), drawn at half that size."""

    def __init__(self, n_features: int) -> None:
        layers: list[nn.Module] = []
        width = n_features
        for _ in range(4):
            narrower = max(16, width // 4)
            layers += [
                nn.Conv2d(width, narrower, 3, padding=1, bias=False),
                nn.BatchNorm2d(narrower),
                nn.ReLU(inplace=True),
                nn.Upsample(scale_factor=2, mode="bilinear"),
            ]
            width = narrower
        super().__init__(
            *layers, nn.Conv2d(width, 1, 3, padding=1), nn.Upsample(scale_factor=2, mode="bilinear")
        )
