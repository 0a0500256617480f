"""What an encoder is worth: a few labels on top, where it looks, and what it reads from the background."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass, replace

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

LAYER = "layer3"
"""Whose maps are explained and clustered; a cell is 16 x 16 pixels."""


def phantom_frames(n: int, size: int, seed: int, shortcut: float) -> tuple[Frames, np.ndarray]:
    """Labelled frames of patients that no clip shows, and (n,) the number of each one's overlay layout.

    Under one seed `shortcut` changes overlays alone.
    """
    data = sa.phantom.make_dataset(n, shortcut=shortcut, seed=seed, size=(size, size))
    return Frames(data.images, data.sectors, data.labels, data.patients), data.layouts


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


def blackened(frames: Frames) -> Frames:
    """The same with nothing but the background."""
    images = [sa.blacken_sector(i, s) for i, s in zip(frames.images, frames.sectors, strict=True)]
    return replace(frames, images=np.stack(images))


def macro_f1(predicted: np.ndarray, frames: Frames) -> float:
    """In percent."""
    return 100 * float(f1_score(frames.labels, predicted, average="macro"))


def probe_f1(train: Embedded, tests: list[Embedded], fraction: float, draws: int) -> list[float]:
    """Macro F1 of linear probes on each test set, mean over draws of the labelled patients."""
    scores = []
    for draw in range(draws):
        rows = np.isin(train.frames.patients, few_patients(train.frames, fraction, draw).patients)
        probe = LinearProbe(train.features[rows], train.frames.labels[rows])
        scores.append([macro_f1(probe.predict(test.features), test.frames) for test in tests])
    return np.mean(scores, 0).tolist()


def tuned_f1(encoder: Encoder, train: Frames, test: Frames, fraction: float, draws: int, steps: int) -> float:
    """The same for full fine-tuning, on one test set."""
    scores = []
    for draw in range(draws):
        model = fine_tune(encoder, few_patients(train, fraction, draw), steps, draw)
        scores.append(macro_f1(embed(model, test.images).argmax(1).numpy(), test))
    return float(np.mean(scores))


def background_accuracies(encoder: Encoder, train: Embedded, test: Embedded) -> dict[str, float]:
    """Percent of labels told from images whose sector is black, by two linear probes.

    `background` learned on such images: what is there to read. `background_used` learned on whole images, as
    a user's classifier: what it reads there. Overlays must be tied to the labels for either to say anything.
    """
    black = [Embedded.by(encoder, blackened(one.frames)) for one in (train, test)]
    probes = {"background": LinearProbe(black[0].features, train.frames.labels)}
    probes["background_used"] = LinearProbe(train.features, train.frames.labels)
    return {
        name: 100 * float((probe.predict(black[1].features) == test.frames.labels).mean())
        for name, probe in probes.items()
    }


def overlay_accuracy(train: Embedded, test: Embedded, overlays: tuple[np.ndarray, np.ndarray]) -> float:
    """Percent of overlay layouts that a linear probe tells from whole images, where the view tells nothing.

    How much of the background is in an encoder's features, beside all else.
    """
    told = LinearProbe(train.features, overlays[0]).predict(test.features)
    return 100 * float((told == overlays[1]).mean())


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


def landmark_features(encoder: nn.Module, clips: Clips, every: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) features at each clip's landmarks, in every k-th of its frames, and (n,) the clips' labels."""
    encoder.eval()
    device = next(encoder.parameters()).device
    features, labels = [], []
    for frames, sector, label in zip(clips.frames, clips.sectors, clips.labels, strict=True):
        points = sa.energy_landmarks(frames, sector, n=6)
        images = standardised(as_images(torch.from_numpy(frames[::every]).to(device)))
        found = sa.features_at(encoder, LAYER, images, [points] * len(images))
        features.append(found)
        labels += [label] * len(found)
    return np.concatenate(features), np.array(labels)
