"""Seven ways to learn without labels, and two bounds: each a module whose forward pass is its loss.

Losses, heads and the queue are lightly's; the two that reconstruct, which it lacks, are plain torch. Sizes
of heads and queue are small, for small encoders and data.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss, VICRegLoss
from lightly.models.modules.heads import (
    BarlowTwinsProjectionHead,
    BYOLPredictionHead,
    BYOLProjectionHead,
    MoCoProjectionHead,
    SimCLRProjectionHead,
    VICRegProjectionHead,
)
from lightly.models.utils import update_momentum
from networks import Decoder, Encoder
from torch import Tensor, nn
from torch.nn import functional

HIDDEN, OUT = 256, 128


class Method(nn.Module):
    """What all have in common: an encoder, and a loss of two views."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, views: list[Tensor], inside: list[Tensor], labels: Tensor) -> Tensor:
        """The loss of two views (B, 1, H, W) of the same frames, their sectors (B, H, W) and labels (B,)."""
        raise NotImplementedError

    def after_step(self) -> None:
        """What follows a step of the optimiser."""

    def features(self, view: Tensor) -> Tensor:
        """(B, n_features): only the encoder runs in half precision, heads and losses do not bear it."""
        with torch.autocast(view.device.type, torch.bfloat16):
            return self.encoder(view).float()


class TwoViews(Method):
    """One network sees both views; the loss compares what the head makes of them."""

    def __init__(self, encoder: Encoder, head: nn.Module, loss: nn.Module) -> None:
        super().__init__(encoder)
        self.head, self.loss = head, loss

    def forward(self, views: list[Tensor], inside: list[Tensor], labels: Tensor) -> Tensor:
        # Each view has its own statistics in batch norm, as in the papers.
        first, second = (self.head(self.features(view)) for view in views)
        return self.loss(first, second)


class SimCLR(TwoViews):
    """SimCLR v2: a head of three layers; negatives are the rest of the batch."""

    def __init__(self, encoder: Encoder) -> None:
        head = SimCLRProjectionHead(encoder.n_features, HIDDEN, OUT, num_layers=3)
        super().__init__(encoder, head, NTXentLoss(temperature=0.2))


class VICReg(TwoViews):
    """Variance, invariance and covariance; no negatives."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, VICRegProjectionHead(encoder.n_features, HIDDEN, HIDDEN), VICRegLoss())


class BarlowTwins(TwoViews):
    """The cross-correlation of both views' embeddings becomes the identity."""

    def __init__(self, encoder: Encoder) -> None:
        head = BarlowTwinsProjectionHead(encoder.n_features, HIDDEN, HIDDEN)
        super().__init__(encoder, head, BarlowTwinsLoss())


class Followed(Method):
    """A second network follows the first as a moving average and gives the targets."""

    momentum = 0.95
    """For some hundred steps; the papers' 0.99 and more are for a hundred times as many."""

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__(encoder)
        self.head = head
        self.target_encoder, self.target_head = deepcopy(encoder), deepcopy(head)
        for follower in (self.target_encoder, self.target_head):
            follower.requires_grad_(False)

    def targets(self, view: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(view.device.type, torch.bfloat16):
            features = self.target_encoder(view).float()
        with torch.no_grad():
            return self.target_head(features)

    def after_step(self) -> None:
        update_momentum(self.encoder, self.target_encoder, self.momentum)
        update_momentum(self.head, self.target_head, self.momentum)


class MoCo(Followed):
    """MoCo v2: negatives come from a queue of earlier targets. One device, so batch norm is not shuffled."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, MoCoProjectionHead(encoder.n_features, HIDDEN, OUT))
        self.loss = NTXentLoss(temperature=0.2, memory_bank_size=(512, OUT))

    def forward(self, views: list[Tensor], inside: list[Tensor], labels: Tensor) -> Tensor:
        query = self.head(self.features(views[0]))
        return self.loss(query, self.targets(views[1]))


class BYOL(Followed):
    """No negatives: a predictor guesses the other view's target."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, BYOLProjectionHead(encoder.n_features, HIDDEN, OUT))
        self.predictor = BYOLPredictionHead(OUT, HIDDEN, OUT)
        self.loss = NegativeCosineSimilarity()

    def forward(self, views: list[Tensor], inside: list[Tensor], labels: Tensor) -> Tensor:
        first, second = (self.predictor(self.head(self.features(view))) for view in views)
        return 0.5 * (self.loss(first, self.targets(views[1])) + self.loss(second, self.targets(views[0])))


class AutoEncoder(Method):
    """Draw each view again from its features; errors count inside the sector, or everywhere."""

    def __init__(self, encoder: Encoder, everywhere: bool = True) -> None:
        super().__init__(encoder)
        self.everywhere = everywhere
        self.decoder = Decoder(encoder.n_features)

    def forward(self, views: list[Tensor], inside: list[Tensor], labels: Tensor) -> Tensor:
        images = torch.cat(views)
        counts = torch.cat(inside)[:, None]
        if self.everywhere:
            counts = torch.ones_like(counts)
        with torch.autocast(images.device.type, torch.bfloat16):
            drawn = self.decoder(self.encoder.maps(self.seen(images))).float()
        counts = self.counted(counts)
        return ((drawn - images) ** 2 * counts).sum() / counts.sum().clamp_min(1)

    def seen(self, images: Tensor) -> Tensor:
        return images

    def counted(self, counts: Tensor) -> Tensor:
        return counts


class Inpainting(AutoEncoder):
    """The same from views with blocks missing; only these count."""

    def seen(self, images: Tensor) -> Tensor:
        n, height, width = len(images), *images.shape[2:]
        coarse = (torch.rand(n, 1, height // 8, width // 8, device=images.device) < 0.35).float()
        self._missing = functional.interpolate(coarse, size=(height, width)) > 0
        return images.masked_fill(self._missing, 0)

    def counted(self, counts: Tensor) -> Tensor:
        return counts & self._missing


class Supervised(Method):
    """The upper bound: the same frames and views, with their labels."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.classifier = nn.Linear(encoder.n_features, 32)

    def forward(self, views: list[Tensor], inside: list[Tensor], labels: Tensor) -> Tensor:
        if int(labels.min()) < 0:
            raise SystemExit("the supervised bound needs labelled clips: put them into FOLDER/LABEL/.")
        scores = torch.cat([self.classifier(self.features(view)) for view in views])
        return functional.cross_entropy(scores, labels.repeat(2))


SELF_SUPERVISED: dict[str, type[Method]] = {
    "autoencoder": AutoEncoder,
    "inpainting": Inpainting,
    "simclr": SimCLR,
    "moco": MoCo,
    "byol": BYOL,
    "vicreg": VICReg,
    "barlow": BarlowTwins,
}
INSIDE = {"autoencoder-inside": AutoEncoder, "inpainting-inside": Inpainting}
"""Reconstruct the sector alone (PolarMAE's idea), from plain views."""


def make_method(name: str, encoder: Encoder, backmix: bool) -> Method:
    """With BackMix views, whose backgrounds are another frame's, only what is inside is to be drawn."""
    if name in INSIDE or (name in ("autoencoder", "inpainting") and backmix):
        return {**INSIDE, **SELF_SUPERVISED}[name](encoder, everywhere=False)
    return {**SELF_SUPERVISED, "supervised": Supervised}[name](encoder)


METHODS = (*SELF_SUPERVISED, *INSIDE, "supervised")
