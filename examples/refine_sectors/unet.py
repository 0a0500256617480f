"""A U-Net that learns sectors from frames, and how it is trained and scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceLoss
from monai.networks.nets import BasicUNet
from sequences import Sequence
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Recipe:
    """How to train; `paper` is Zahn & Perrin's."""

    learning_rate: float
    modern: bool
    batch: int = 8

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.modern:
            dice = DiceLoss(sigmoid=True)(logits, target)
            return functional.binary_cross_entropy_with_logits(logits, target) + dice
        return functional.mse_loss(logits.sigmoid(), target)


RECIPES = {"paper": Recipe(1e-5, modern=False), "modern": Recipe(1e-3, modern=True)}


def make_unet(width: int) -> nn.Module:
    """Ronneberger's shape; `width` features at full size (64 in the paper's, 8 for a CPU)."""
    features = (width, width, 2 * width, 4 * width, 8 * width, width)
    return BasicUNet(spatial_dims=2, in_channels=1, out_channels=1, features=features)


def examples(
    sequences: list[Sequence], masks: list[np.ndarray], per_sequence: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random frames of each sequence, which share its mask: (N, 1, H, W) in 0..1 each."""
    frames, targets = [], []
    for sequence, mask in zip(sequences, masks, strict=True):
        chosen = rng.choice(len(sequence.frames), per_sequence, replace=len(sequence.frames) < per_sequence)
        frames.append(sequence.frames[chosen])
        targets.append(np.repeat(mask[None], per_sequence, 0))
    images = torch.from_numpy(np.concatenate(frames)).float().div(255)
    return images[:, None], torch.from_numpy(np.concatenate(targets)).float()[:, None]


def train(
    model: nn.Module,
    recipe: Recipe,
    sequences: list[Sequence],
    masks: list[np.ndarray],
    epochs: int,
    per_sequence: int,
    seed: int,
    watch: Callable[[int], None],
) -> None:
    """Train in place on 80% of the sequences and keep the weights of the lowest loss on the other 20%.

    `watch` is called with the number of every tenth epoch, and of the last.
    """
    device = next(model.parameters()).device
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    order = rng.permutation(len(sequences))
    n_validation = max(1, len(order) // 5)
    parts = [
        examples([sequences[i] for i in part], [masks[i] for i in part], per_sequence, rng)
        for part in (order[n_validation:], order[:n_validation])
    ]
    (images, targets), (val_images, val_targets) = [(x.to(device), y.to(device)) for x, y in parts]
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    lowest, best = float("inf"), {}
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in torch.randperm(len(images), generator=generator).to(device).split(recipe.batch):
            optimizer.zero_grad()
            recipe.loss(model(images[batch]), targets[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            model.eval()
            losses = [
                recipe.loss(model(x), y)
                for x, y in zip(val_images.split(64), val_targets.split(64), strict=True)
            ]
        validation = float(torch.stack(losses).mean())
        if validation < lowest:
            lowest, best = validation, {key: value.clone() for key, value in model.state_dict().items()}
        if epoch % 10 == 0 or epoch == epochs:
            watch(epoch)
    model.load_state_dict(best)


@torch.no_grad()
def predict(model: nn.Module, frames: np.ndarray) -> np.ndarray:
    """(T, H, W) bool sectors of (T, H, W) uint8 frames."""
    model.eval()
    device = next(model.parameters()).device
    images = torch.from_numpy(frames).float().div(255)[:, None]
    return torch.cat([model(part.to(device)).cpu() > 0 for part in images.split(64)])[:, 0].numpy()


@dataclass(frozen=True)
class Scores:
    accuracy: float
    """Per cent of all pixels that are right."""
    iou: float
    """Per cent."""
    clean: int
    """Frames in which no burned-in pixel is taken for sector."""
    frames: int
    leaked_px: int
    """Burned-in pixels taken for sector."""


def score(find: Callable[[Sequence], np.ndarray], sequences: list[Sequence]) -> Scores:
    """Means over the frames of sequences that have a drawn sector; `find` gives (T, H, W) bool."""
    right, ious, clean, leaked, n = [], [], 0, 0, 0
    for sequence in sequences:
        found, drawn = find(sequence), sequence.drawn
        right += list((found == drawn).mean((1, 2)))
        union = (found | drawn).sum((1, 2))
        ious += list((found & drawn).sum((1, 2)) / np.maximum(union, 1))
        n += len(found)
        if sequence.overlay is not None:
            leaks = (found & sequence.overlay).sum((1, 2))
            clean, leaked = clean + int((leaks == 0).sum()), leaked + int(leaks.sum())
    return Scores(100 * float(np.mean(right)), 100 * float(np.mean(ious)), clean, n, leaked)
