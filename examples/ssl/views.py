"""Two views of a frame: what an ultrasound image may go through without changing what it shows."""

from __future__ import annotations

from math import radians

import torch
from acoustics import attenuated, shadowed
from torch import Tensor, nn
from torch.nn import functional

import sectoraug as sa


class Views(nn.Module):
    """Random views of a batch, on any device; all draws follow `torch.manual_seed`.

    Rotation by up to 20 degrees, zoom, shift and mirroring of image and sector together; gain, its curve over
    depth, contrast, blur and noise as a scanner's. No hue, no solarisation, no cut-out: nothing of that
    happens in ultrasound. With `acoustic`, attenuation and a shadow, too. Last, with `backmix`, the
    backgrounds: each view takes another image's.
    """

    def __init__(self, backmix: bool, acoustic: bool = False) -> None:
        super().__init__()
        self.mix = sa.RandomBackMix() if backmix else None
        self.acoustic = acoustic

    def forward(self, images: Tensor, sectors: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, H, W) in 0..1 and (B, H, W) bool to a view of each and its sector."""
        views, inside = moved(images, sectors)
        if self.acoustic:
            n, device = len(views), views.device
            views = attenuated(views, inside, uniform(n, 0, 1, device))
            views = shadowed(views, inside, uniform(n, 0, 1, device), torch.rand(n, 3, device=device))
        views = rescanned(views)
        if self.mix is not None:
            views = self.mix(views, inside)
        return standardised(views), inside


def moved(images: Tensor, sectors: Tensor) -> tuple[Tensor, Tensor]:
    """Image and sector turned, zoomed, shifted and mirrored alike."""
    n, device = len(images), images.device
    angle = uniform(n, -radians(20), radians(20), device)
    # Above 1 is zoomed out.
    zoom = uniform(n, 0.65, 1.1, device)
    mirror = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    shift_x, shift_y = uniform(n, -0.1, 0.1, device), uniform(n, -0.1, 0.1, device)
    rows = torch.stack([mirror * cosine, -sine, shift_x, mirror * sine, cosine, shift_y], 1).view(n, 2, 3)
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    views = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
    inside = functional.grid_sample(sectors[:, None].float(), grid, mode="nearest", align_corners=False)
    return views, inside[:, 0] > 0.5


def rescanned(images: Tensor) -> Tensor:
    """Other settings of the scanner: images in 0..1 stay there."""
    n, height, device = len(images), images.shape[2], images.device
    depth = torch.linspace(-1, 1, height, device=device).view(1, 1, height, 1)
    gain = uniform(n, 0.7, 1.3, device).view(n, 1, 1, 1)
    curve = uniform(n, -0.25, 0.25, device).view(n, 1, 1, 1)
    contrast = uniform(n, 0.7, 1.4, device).view(n, 1, 1, 1)
    views = (images.clamp_min(1e-6) ** contrast) * (gain + curve * depth)
    kernel = torch.tensor([0.25, 0.5, 0.25], device=device)
    blurred = functional.conv2d(functional.pad(views, (1, 1, 1, 1), "replicate"), cross(kernel))
    share = uniform(n, 0, 1, device).view(n, 1, 1, 1)
    views = views + share * (blurred - views)
    noise = torch.randn_like(views) * uniform(n, 0, 0.06, device).view(n, 1, 1, 1)
    return (views + noise).clamp(0, 1)


def cross(kernel: Tensor) -> Tensor:
    return torch.outer(kernel, kernel)[None, None]


def uniform(n: int, low: float, high: float, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(n, device=device)


def standardised(images: Tensor) -> Tensor:
    """Each image with mean 0 and deviation 1."""
    over = tuple(range(1, images.ndim))
    return (images - images.mean(over, keepdim=True)) / (images.std(over, keepdim=True) + 1e-6)


def as_images(frames: Tensor) -> Tensor:
    """(B, H, W) uint8 to (B, 1, H, W) in 0..1."""
    return frames[:, None].float() / 255
