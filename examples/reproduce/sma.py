"""SMA (Kwon et al., WACV 2024): object and background kept apart in feature space by contrast, without masks.

Known, from the paper's abstract and the authors' published training code (github.com/herbwood/WSSS_SMA, for
several labels an image, ResNet50 and SGD): two aggregators of attention, one on the last stage and one on all
stages; two classifiers, their four losses and the losses' weights; the contrast; features joined, and
joined again after backgrounds changed places in the batch; weights that rise with the epoch.

Inferred, since BackMix does not say how it used SMA, and the network that the authors' script names is not
among the published ones (the nearest is followed): ResNet18 at BackMix's size with BackMix's optimiser; one
label an image, the answer being the highest object score; as many maps an aggregator as the last stage has
channels (256 for 2048 there), sides a quarter as wide, no clipping of gradients.
"""

from __future__ import annotations

import torch
from resnet18 import ResNet18
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

SHUFFLED_FROM = 0.5
"""Share of the training after which backgrounds change places."""
OBJECT_AS_BACKGROUND, BACKGROUND_AS_OBJECT, BACKGROUND = 0.3, 0.3, 0.2
"""Weights of three losses beside that of the object, 1."""


class Aggregator(nn.Module):
    """Pools (B, C, h, w) to (B, C) by the mean of several learnt maps of attention."""

    def __init__(self, channels: int, n_maps: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(channels, n_maps, 1)

    def forward(self, features: Tensor) -> Tensor:
        attention = self.maps(features).flatten(2).softmax(2).mean(1)
        return torch.einsum("bcp,bp->bc", features.flatten(2), attention)


class SMA(nn.Module):
    """`sma(images)` gives class scores (B, K); `sma(images, labels, progress)` the training loss."""

    def __init__(self, trunk: ResNet18, n_classes: int) -> None:
        super().__init__()
        channels = [stage[-1].conv2.out_channels for stage in trunk.by_stage()]
        last = channels[-1]
        trunk.fc = nn.Identity()  # never called
        self.trunk = trunk
        self.sides = nn.ModuleList(nn.Conv2d(c, last // 4, 1, bias=False) for c in channels)
        self.see_object, self.see_background = Aggregator(last, last), Aggregator(last, last)
        self.object_scores = weight_norm(nn.Linear(last, n_classes))
        self.background_scores = weight_norm(nn.Linear(last, n_classes))
        self.join = nn.Linear(2 * last, last)

    def forward(
        self, images: Tensor, labels: Tensor | None = None, progress: float = 0.0, *_: object
    ) -> Tensor:
        stages = self.trunk.stages(images)
        thing = self.see_object(stages[-1])
        if labels is None:
            return self.object_scores(thing)
        # The background is read from all stages but must not shape them.
        size = stages[2].shape[2:]
        sides = [
            functional.interpolate(functional.normalize(side(stage.detach()), dim=1), size, mode="bilinear")
            for side, stage in zip(self.sides, stages, strict=True)
        ]
        background = self.see_background(torch.cat(sides, 1))
        return self._loss(thing, background, labels, progress)

    def _loss(self, thing: Tensor, background: Tensor, labels: Tensor, progress: float) -> Tensor:
        wanted = functional.one_hot(labels, self.object_scores.out_features).float()
        nothing = torch.zeros_like(wanted)

        def loss(scores: Tensor, target: Tensor) -> Tensor:
            return functional.multilabel_soft_margin_loss(scores.float(), target)

        def joined(of_object: Tensor, of_background: Tensor) -> Tensor:
            return self.object_scores(self.join(torch.cat([of_object, of_background.detach()], 1)))

        total = (
            loss(self.object_scores(thing), wanted)
            + OBJECT_AS_BACKGROUND * loss(self.background_scores(thing), 1 - wanted)
            + BACKGROUND_AS_OBJECT * loss(self.object_scores(background), nothing)
            + BACKGROUND * loss(self.background_scores(background), nothing)
            + apart(thing, background)
            + progress * loss(joined(thing, background), wanted)
        )
        if progress > SHUFFLED_FROM:
            order = torch.randperm(len(labels), device=labels.device)
            swapped = loss(joined(thing, background[order]), wanted)
            swapped = swapped + loss(joined(thing[order], background), wanted[order])
            total = total + progress * swapped
        return total


def apart(thing: Tensor, background: Tensor) -> Tensor:
    """Minus the mean log of one minus the cosine, of every object with every background."""
    cosine = functional.normalize(thing.float(), dim=1) @ functional.normalize(background.float(), dim=1).T
    return -(1 - cosine.clamp(0.0005, 0.9995)).log().mean()
