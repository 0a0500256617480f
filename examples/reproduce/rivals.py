"""Rivals that came after the paper: DFR, JTT, a teacher that saw no background, and %E as a loss.

None was made for ultrasound. What is inferred here: as many steps as the others have, ResNet18 at BackMix's
size with BackMix's optimiser, and weights of 1.
"""

from __future__ import annotations

import numpy as np
import torch
from frames import Frames as Plain
from frames import standardised
from resnet18 import ResNet18
from splits import Split
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, RandomSampler

ERRORS_COUNT = 5
FIRST_TRAINING = 0.25
"""Of the epochs, before JTT looks for errors."""


class EnergyGuided(nn.Module):
    """%E as a loss: `model(images, labels, progress, sectors)` is the cross-entropy plus 1 - E.

    E is the share of GradCAM's energy inside the sector, at the third stage and for the true class, averaged
    over the images that have a sector (the energy loss of Rao et al., ICCV 2023, with GradCAM's attribution).
    """

    def __init__(self, trunk: ResNet18) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(
        self, images: Tensor, labels: Tensor | None = None, progress: float = 0, sectors: Tensor | None = None
    ) -> Tensor:
        if labels is None:
            return self.trunk(images)
        *_, third, fourth = self.trunk.stages(images)
        scores = self.trunk.fc(fourth.mean((2, 3))).float()
        loss = functional.cross_entropy(scores, labels)
        known = (sectors != 0).flatten(1).any(1)
        if not known.any():
            return loss
        true = scores.gather(1, labels[:, None]).sum()
        slopes = torch.autograd.grad(true, third, create_graph=True)[0]
        maps = functional.relu((slopes.mean((2, 3), keepdim=True) * third).sum(1, keepdim=True).float())
        maps = functional.interpolate(maps, images.shape[2:], mode="bilinear", align_corners=False)[known, 0]
        inside = (maps * (sectors[known] != 0)).sum((1, 2)) / maps.sum((1, 2)).clamp_min(1e-6)
        return loss + (1 - inside).mean()


class Distilled(nn.Module):
    """A student of a teacher that was trained on black backgrounds (Boland et al., MELBA 2025).

    `model(images, labels)` is the cross-entropy plus the mean Kullback-Leibler divergence of the student's
    probes, one a stage, and of its answers from those of the frozen teacher on the same images.
    """

    def __init__(self, trunk: ResNet18, teacher: ResNet18, n_classes: int) -> None:
        super().__init__()
        self.trunk, self.teacher = trunk, teacher
        channels = [stage[-1].conv2.out_channels for stage in trunk.by_stage()]
        self.probes = nn.ModuleList(nn.Linear(c, n_classes) for c in channels)
        self.teachers_probes = nn.ModuleList(nn.Linear(c, n_classes) for c in channels)

    def forward(self, images: Tensor, labels: Tensor | None = None, *_: object) -> Tensor:
        if labels is None:
            return self.trunk(images)
        own = answers(self.trunk, self.probes, images)
        self.teacher.eval()
        with torch.no_grad():
            taught = answers(self.teacher, self.teachers_probes, images)
        apart = [
            functional.kl_div(a.log_softmax(1), b.log_softmax(1), reduction="batchmean", log_target=True)
            for a, b in zip(own, taught, strict=True)
        ]
        return functional.cross_entropy(own[-1], labels) + torch.stack(apart).mean()

    def teach(self, few: Dataset, steps: int) -> None:
        """Train the teacher and its probes on images with black backgrounds, then freeze it."""
        teacher = nn.ModuleList([self.teacher, self.teachers_probes])

        def loss(images: Tensor, labels: Tensor) -> Tensor:
            each = answers(self.teacher, self.teachers_probes, images)
            return torch.stack([functional.cross_entropy(scores, labels) for scores in each]).mean()

        fit(teacher, loss, few, steps)
        teacher.requires_grad_(False)
        teacher.zero_grad()


def answers(trunk: ResNet18, probes: nn.ModuleList, images: Tensor) -> list[Tensor]:
    """(B, K) scores of each stage's probe, on features that it must not shape, and of the network."""
    pooled = [stage.mean((2, 3)) for stage in trunk.stages(images)]
    scores = [probe(features).float() for probe, features in zip(probes, pooled, strict=True)]
    return [*scores, trunk.fc(pooled[-1]).float()]


def fit(model: nn.Module, loss_of: object, data: Dataset, steps: int) -> None:
    """Adam at 1e-3 for so many batches of up to 64, whatever the size of the data."""
    device = next(model.parameters()).device
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = min(64, len(data))
    for images, labels, *_ in DataLoader(data, batch, sampler=RandomSampler(data, num_samples=steps * batch)):
        loss = loss_of(standardised(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def errors_again(model: nn.Module, data: Dataset, split: Split, steps: int) -> np.ndarray:
    """JTT (Liu et al., ICML 2021): rows of the split, five times those that a short training gets wrong."""
    fit(model, lambda images, labels: functional.cross_entropy(model(images), labels), data, steps)
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        loader = DataLoader(Plain(split, None), 128)
        guesses = torch.cat([model(images.to(device)).argmax(1).cpu() for images, _, _ in loader]).numpy()
    rows = np.arange(len(split.labels))
    return np.concatenate([rows, np.repeat(rows[guesses != split.labels], ERRORS_COUNT - 1)])


def retrain_last_layer(model: ResNet18, clean: Split) -> None:
    """DFR (Kirichenko et al., ICLR 2023): a logistic regression on clean images becomes the last layer."""
    from sklearn.linear_model import LogisticRegression

    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        loader = DataLoader(Plain(clean, None), 128)
        features = torch.cat(
            [model.stages(i.to(device))[-1].mean((2, 3)).cpu() for i, _, _ in loader]
        ).numpy()
    mean, spread = features.mean(0), features.std(0) + 1e-6
    found = LogisticRegression(class_weight="balanced", max_iter=1000).fit(
        (features - mean) / spread, clean.labels
    )
    slopes, offsets = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # one row stands for both
        slopes, offsets = np.concatenate([-slopes, slopes]) / 2, np.concatenate([-offsets, offsets]) / 2
    weight = np.zeros(model.fc.weight.shape, np.float32)
    bias = np.full(len(weight), -1e4, np.float32)  # classes that no clean image shows
    weight[found.classes_] = slopes / spread
    bias[found.classes_] = offsets - (slopes / spread) @ mean
    with torch.no_grad():
        model.fc.weight.copy_(torch.from_numpy(weight))
        model.fc.bias.copy_(torch.from_numpy(bias))
