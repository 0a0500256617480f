"""What an encoder is worth: a few labels on top, and where it looks."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from clips import Clips, Frames
from networks import Encoder
from pretrain import embed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional
from views import Views, as_images, standardised

import sectoraug as sa

FRACTIONS = (0.01, 0.1, 1.0)
"""Of the labelled patients."""
DRAWS = {0.01: 5, 0.1: 3, 1.0: 1}
"""Of a linear probe's patients, averaged."""
LAYER = "layer3"
"""Whose maps are explained and clustered; a cell is 16 x 16 pixels."""


def few_patients(frames: Frames, fraction: float, seed: int) -> Frames:
    """All frames of a random share of the patients, of more patients where a class would be missing."""
    patients = np.random.default_rng(seed).permutation(np.unique(frames.patients))
    n, n_classes = max(1, round(fraction * len(patients))), len(np.unique(frames.labels))
    while True:
        chosen = frames[np.isin(frames.patients, patients[:n])]
        if len(np.unique(chosen.labels)) == n_classes:
            return chosen
        n += 1


class LinearProbe:
    """Logistic regression on an encoder's (N, n_features) features, which stay as they are."""

    def __init__(self, features: np.ndarray, labels: np.ndarray) -> None:
        self._fit = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        self._fit.fit(features, labels)

    def predict(self, features: np.ndarray) -> np.ndarray:
        return self._fit.predict(features)

    def on_top_of(self, encoder: Encoder) -> nn.Module:
        """Encoder and probe as one network, for GradCAM."""
        scaler, regression = (step for _, step in self._fit.steps)
        weight = regression.coef_ / scaler.scale_
        head = nn.Linear(weight.shape[1], weight.shape[0])
        head.weight.data = torch.from_numpy(weight).float()
        head.bias.data = torch.from_numpy(regression.intercept_ - weight @ scaler.mean_).float()
        return with_head(encoder, head)


def with_head(encoder: Encoder, head: nn.Module) -> nn.Module:
    """A classifier with a copy of the encoder, whose layers keep their names."""
    layers = OrderedDict(deepcopy(encoder).named_children(), head=head)
    return nn.Sequential(layers).to(next(encoder.parameters()).device).eval()


def fine_tune(encoder: Encoder, train: Frames, steps: int, seed: int) -> nn.Module:
    """A classifier all of whose weights follow the labels; views without BackMix."""
    torch.manual_seed(seed)
    model = with_head(encoder, nn.Linear(encoder.n_features, int(train.labels.max()) + 1)).train()
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    views = Views(backmix=False)
    images, sectors, labels = (torch.from_numpy(a) for a in (train.images, train.sectors, train.labels))
    for step in range(steps):
        rows = torch.randperm(len(images))[:32]
        view, _ = views(as_images(images[rows].to(device)), sectors[rows].to(device))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - step / steps)
        with torch.autocast(device.type, torch.bfloat16):
            scores = model(view.contiguous(memory_format=torch.channels_last)).float()
        loss = functional.cross_entropy(scores, labels[rows].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@dataclass(frozen=True)
class Embedded:
    """Frames and what an encoder makes of them, (N, d)."""

    frames: Frames
    features: np.ndarray

    @classmethod
    def by(cls, encoder: Encoder, frames: Frames) -> Embedded:
        return cls(frames, embed(encoder, frames.images).numpy())


def macro_f1(predicted: np.ndarray, frames: Frames) -> float:
    """In percent."""
    return 100 * float(f1_score(frames.labels, predicted, average="macro"))


def predictions(train: Embedded, tests: list[Embedded], fraction: float, draw: int) -> list[np.ndarray]:
    """What a linear probe that learned this share of the patients says of each test set."""
    rows = np.isin(train.frames.patients, few_patients(train.frames, fraction, draw).patients)
    probe = LinearProbe(train.features[rows], train.frames.labels[rows])
    return [probe.predict(test.features) for test in tests]


def probe_f1(train: Embedded, tests: list[Embedded], fraction: float, draws: int) -> list[float]:
    """Macro F1 of linear probes on each test set, mean over draws of the labelled patients."""
    scores = [
        [
            macro_f1(told, test.frames)
            for told, test in zip(predictions(train, tests, fraction, draw), tests, strict=True)
        ]
        for draw in range(draws)
    ]
    return np.mean(scores, 0).tolist()


def flips(train: Embedded, test: Embedded, swapped: Embedded) -> float:
    """Percent of a probe's answers that change when nothing but the background does."""
    before, after = predictions(train, [test, swapped], 1.0, 0)
    return 100 * float((before != after).mean())


def tuned_f1(encoder: Encoder, train: Frames, test: Frames, fraction: float, draws: int, steps: int) -> float:
    """The same for full fine-tuning, on one test set."""
    scores = []
    for draw in range(draws):
        model = fine_tune(encoder, few_patients(train, fraction, draw), steps, draw)
        scores.append(macro_f1(embed(model, test.images).argmax(1).numpy(), test))
    return float(np.mean(scores))


def energy(encoder: Encoder, train: Embedded, test: Frames) -> dict[str, float]:
    """%E of a linear probe's GradCAM of the predicted class, its coverage and the number of dead maps."""
    network = LinearProbe(train.features, train.frames.labels).on_top_of(encoder)
    focus = sa.Focus()
    device = next(network.parameters()).device
    with sa.GradCAM(network, LAYER) as gradcam:
        for start in range(0, len(test.images), 128):
            images = torch.from_numpy(test.images[start : start + 128]).to(device)
            cam = gradcam(standardised(as_images(images))).cpu()
            focus.update(cam, torch.from_numpy(test.sectors[start : start + 128]))
    seen = focus.compute()
    return {key: float(seen[key]) for key in ("energy_percent", "coverage_percent", "n_empty")}


def landmark_features(
    encoder: nn.Module, clips: Clips, landmarks: list[np.ndarray], every: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) features at each clip's landmarks, in every k-th of its frames, and (n,) the clips' labels."""
    encoder.eval()
    device = next(encoder.parameters()).device
    features, labels = [], []
    for frames, points, label in zip(clips.frames, landmarks, clips.labels, strict=True):
        images = standardised(as_images(torch.from_numpy(frames[::every]).to(device)))
        found = sa.features_at(encoder, LAYER, images, [points] * len(images))
        features.append(found)
        labels += [label] * len(found)
    return np.concatenate(features), np.array(labels)
