"""Labelled frames that encoders are judged on, and clips to find landmarks in: each seed its own."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from anatomy import wall_landmarks
from clips import Clips, Frames, cached, every_kth, phantom_clips, phantom_settings, split_by_patient
from pretrain import clips_of

import sectoraug as sa

LANDMARK_CLIPS = 48


@dataclass(frozen=True)
class Labelled:
    """No patient is in both a training and a test set."""

    fair: Frames
    """Overlays say nothing of the view."""
    tied: Frames
    """The same patients, overlays tied to the view; of one's own clips simply the same."""
    test: Frames
    tied_test: Frames
    swapped_test: Frames
    """`tied_test` on backgrounds of images with other labels."""
    clips: Clips
    """To find landmarks in."""
    landmarks: dict[str, list[np.ndarray]]
    """Of each clip (k, 2) rows and columns: maxima of energy; of the phantom also points on a wall."""


def data_of(arguments: argparse.Namespace, seed: int) -> tuple[Frames, Labelled]:
    """Frames to learn from without labels, and labelled ones of other patients."""
    if arguments.clips is None:
        frames = every_kth(clips_of(arguments, part(seed, 0)), arguments.every)
        return frames, phantom_labelled(arguments, seed)
    clips = clips_of(arguments)
    if clips.labels.min() < 0:
        raise SystemExit("the table needs labels: put your clips into FOLDER/LABEL/.")
    learned, held = split_by_patient(clips, 0.3, seed)
    train, test = every_kth(learned, arguments.every), every_kth(held, arguments.every)
    landmarks = {"energy": energy_landmarks(held)}
    return train, Labelled(train, train, test, test, swapped(test, seed), held, landmarks)


def phantom_labelled(arguments: argparse.Namespace, seed: int) -> Labelled:
    n, size, shortcut = arguments.labelled, arguments.size, arguments.shortcut
    tied_test = phantom_frames(n // 4, size, part(seed, 2), shortcut)
    made = {"n": LANDMARK_CLIPS, "seed": part(seed, 3), "shortcut": shortcut}
    shape = {"frames": arguments.frames, "size": size}
    clips = cached(arguments.out / "cache", phantom_clips, **made, **shape)
    walls = [wall_landmarks(settings, size) for settings in phantom_settings(**made)]
    return Labelled(
        phantom_frames(n, size, part(seed, 1), 0.0),
        phantom_frames(n, size, part(seed, 1), shortcut),
        phantom_frames(n // 4, size, part(seed, 2), 0.0),
        tied_test,
        swapped(tied_test, seed),
        clips,
        {"energy": energy_landmarks(clips), "wall": walls},
    )


def part(seed: int, k: int) -> int:
    """A seed of the phantom for each part of each run's data."""
    return 1000 + 10 * seed + k


def phantom_frames(n: int, size: int, seed: int, shortcut: float) -> Frames:
    """Labelled frames of patients that no clip shows; under one seed `shortcut` changes overlays alone."""
    data = sa.phantom.make_dataset(n, shortcut=shortcut, seed=seed, size=(size, size))
    return Frames(data.images, data.sectors, data.labels, data.patients)


def swapped(frames: Frames, seed: int) -> Frames:
    """Every image on the background of one with another label."""
    rng = np.random.default_rng(seed)
    images = np.empty_like(frames.images)
    for i, label in enumerate(frames.labels):
        donor = rng.choice(np.flatnonzero(frames.labels != label))
        background = sa.blacken_sector(frames.images[donor], frames.sectors[donor])
        images[i] = sa.swap_background(frames.images[i], frames.sectors[i], background)
    return replace(frames, images=images)


def energy_landmarks(clips: Clips) -> list[np.ndarray]:
    return [sa.energy_landmarks(f, s, n=6) for f, s in zip(clips.frames, clips.sectors, strict=True)]
