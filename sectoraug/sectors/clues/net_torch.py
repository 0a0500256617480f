"""The networks that come with the package, computed by torch."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sectoraug.sectors.clues.net_model import SectorNet
from sectoraug.sectors.clues.net_overlay import OverlayNet

Net = TypeVar("Net", bound=nn.Module)
WEIGHTS, OVERLAY_WEIGHTS = "sector_net.safetensors", "overlay_net.safetensors"


def sector_logits(seen: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """As of `net.Engine`."""
    answer = _answered(default_net(), seen)
    return answer.inside[0, 0].numpy(), float(answer.single)


def overlay_logits(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """As of `net.Engine`."""
    return np.asarray(_answered(default_overlay_net(), seen)[0, 0].numpy(), np.float32)


def _answered(model: nn.Module, seen: NDArray[np.float32]) -> Any:
    with torch.inference_mode():
        return model(torch.from_numpy(seen).contiguous(memory_format=torch.channels_last))


@cache
def default_net() -> SectorNet:
    """The network for sectors that comes with the package, read once."""
    return _folded(as_trained(SectorNet(), WEIGHTS))


@cache
def default_overlay_net() -> OverlayNet:
    """The network for overlay that comes with the package, read once."""
    return _folded(as_trained(OverlayNet(), OVERLAY_WEIGHTS))


def as_trained(model: Net, name: str) -> Net:
    """A network with weights that come with the package."""
    with as_file(files("sectoraug.sectors.clues") / name) as path:
        model.load_state_dict({key: value.float() for key, value in load_file(path).items()}, strict=False)
    return model.eval()


def _folded(model: Net) -> Net:
    """The same with normalisations taken into the convolutions before them, and laid out for speed."""
    for block in (part for part in model.modules() if isinstance(part, nn.Sequential)):
        for at, layer in enumerate(block):
            if isinstance(layer, nn.BatchNorm2d):
                block[at - 1] = fuse_conv_bn_eval(cast(nn.Conv2d, block[at - 1]), layer)
                block[at] = nn.Identity()
    return model.to(memory_format=torch.channels_last)
