"""Learn from time itself: put pieces of a clip in order, tell how it is turned, or how fast it runs.

    python examples/ssl/temporal.py                  # phantom, reduced, three seeds, one core
    python examples/ssl/temporal.py --full           # r3d_18, 112x112, 3,000 clips; wants a GPU
    python examples/ssl/temporal.py --clips FOLDER   # your clips, FOLDER/LABEL/PATIENT_*.*

Zhang et al. (Explainability of Self-Supervised Representation Learning for Medical Ultrasound Video): a 3D
ResNet-18, clustering of features at landmarks, and views of clips told in three folds of patients. All clips
are cropped to the largest square of their sector. Four fifths of the patients are for pretraining; each task
is asked of the others, too. `random` and `supervised` are the bounds. A seed is that of weights, order and
phantom: no two share a clip. It goes on where it was stopped, and writes temporal.md into --out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from copy import deepcopy
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clips import Clips, cached, own_clips, phantom_clips, select, split_by_patient, write_whole
from networks import make_clip_network
from pretrain import device_of_choice
from resume import fit, keep_settings
from sklearn.metrics import f1_score, precision_score
from temporal_report import report
from temporal_tasks import CHOICES, STRIDE, cropped, posed
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm
from views import standardised

import sectoraug as sa


def as_video(clips: Tensor) -> Tensor:
    """(B, T, H, W) uint8 to (B, 2, T, H, W): frames and changes since the last, of mean 0 and deviation 1.

    A narrow network does not find by itself, in minutes, that the order of frames shows in their differences.
    """
    frames = clips[:, None].float()
    changes = functional.pad(frames.diff(dim=2), (0, 0, 0, 0, 1, 0))
    return torch.cat([standardised(frames), standardised(changes)], 1)


def rate(done: float) -> float:
    """The learning rate's one cycle, up for 30%, then down along a cosine; `done` and the rate in 0..1."""
    return done / 0.3 if done < 0.3 else 0.5 + 0.5 * cos(pi * (done - 0.3) / 0.7)


def make_optimizer(network: nn.Module, name: str) -> torch.optim.Optimizer:
    """`sgd` is the paper's."""
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=0.9, weight_decay=1e-4)
    return torch.optim.AdamW(network.parameters(), weight_decay=0.01)


def learn(
    network: nn.Module,
    task: str,
    clips: Clips,
    arguments: argparse.Namespace,
    seed: int,
    epochs: int,
    checkpoint: Path,
) -> list[dict[str, float]]:
    """Train on a pretext task, or on the labels; the log has loss and accuracy of each epoch."""
    optimizer = make_optimizer(network, arguments.optimizer)
    device = device_of_choice()
    frames, labels = torch.from_numpy(clips.frames), torch.from_numpy(clips.labels)

    def train_epoch(epoch: int) -> dict[str, float]:
        network.train()
        losses, right = [], []
        batches = torch.randperm(len(frames)).split(arguments.batch)
        for k, rows in enumerate(tqdm(batches, desc=f"{task} epoch {epoch + 1}", leave=False)):
            if len(rows) < 2:
                continue
            for group in optimizer.param_groups:
                group["lr"] = arguments.lr * rate((epoch + (k + 0.5) / len(batches)) / epochs)
            shown, answers = posed(task, frames[rows], arguments.length, labels[rows])
            # On some CPUs oneDNN's bfloat16 gradients of 3D convolutions come out NaN.
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                scores = network(as_video(shown.to(device))).float()
            loss = functional.cross_entropy(scores, answers.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            right += (scores.argmax(1).cpu() == answers).tolist()
        return {"loss": float(np.mean(losses)), "accuracy": 100 * float(np.mean(right))}

    return fit(network, optimizer, epochs, seed, checkpoint, train_epoch)


@torch.no_grad()
def right_answers(network: nn.Module, task: str, clips: Clips, arguments: argparse.Namespace) -> list[bool]:
    """Whether a pretext task is solved, asked once of each clip."""
    network.eval()
    torch.manual_seed(0)
    frames, labels = torch.from_numpy(clips.frames), torch.from_numpy(clips.labels)
    right: list[bool] = []
    for rows in torch.arange(len(frames)).split(arguments.batch):
        shown, answers = posed(task, frames[rows], arguments.length, labels[rows])
        told = network(as_video(shown.to(device_of_choice()))).argmax(1).cpu()
        right += (told == answers).tolist()
    return right


@torch.no_grad()
def over_clips(clips: Clips, length: int, call: Callable[[Tensor], Any]) -> list[Any]:
    """`call` on each clip's middle, (1, 1, length, H, W)."""
    start = (clips.frames.shape[1] - 1 - STRIDE * (length - 1)) // 2
    middle = torch.from_numpy(clips.frames[:, start::STRIDE][:, :length])
    return [call(as_video(clip[None]).to(device_of_choice())) for clip in middle]


def downstream(
    network: nn.Module, clips: Clips, arguments: argparse.Namespace, seed: int, checkpoint: Path
) -> dict[str, Any]:
    """Macro F1 and precision in percent of full fine-tuning, tested on each third of the patients."""
    patients = np.random.default_rng(seed).permutation(np.unique(clips.patients))
    n_classes = int(clips.labels.max()) + 1
    scores: dict[str, Any] = {"f1": [], "precision": []}
    right = np.zeros(len(clips.labels), bool)
    for fold in range(3):
        held = np.isin(clips.patients, patients[fold::3])
        torch.manual_seed(seed)
        tuned = deepcopy(network)
        tuned.fc = nn.Linear(tuned.fc.in_features, n_classes).to(device_of_choice())
        kept = checkpoint.with_name(f"{checkpoint.stem}-fold{fold}.pt")
        few = np.random.default_rng([seed, fold]).permutation(np.flatnonzero(~held))[: arguments.tune_clips]
        learn(tuned, "supervised", select(clips, few), arguments, seed, arguments.tune_epochs, kept)
        tuned.eval()
        test = select(clips, held)
        told = over_clips(test, arguments.length, lambda clip, net=tuned: int(net(clip).argmax()))
        right[held] = test.labels == told
        for key, score in (("f1", f1_score), ("precision", precision_score)):
            value = score(test.labels, told, average="macro", zero_division=0)
            scores[key].append(100 * float(value))
    return {**scores, "right": right.tolist(), "patients": clips.patients.tolist()}


def clustering(network: nn.Module, clips: Clips, arguments: argparse.Namespace) -> dict[str, float]:
    """Scores of the features at each clip's landmarks."""
    network.eval()
    points = [sa.energy_landmarks(f, s, n=6) for f, s in zip(clips.frames, clips.sectors, strict=True)]
    remaining = iter(points)
    features = over_clips(
        clips, arguments.length, lambda clip: sa.features_at(network, "layer3", clip, [next(remaining)])
    )
    return sa.clustering_scores(np.concatenate(features))


def result_of(
    task: str, unlabelled: Clips, labelled: Clips, arguments: argparse.Namespace, seed: int
) -> dict[str, Any]:
    """All scores of one model and seed; patients of `labelled` are none that pretraining saw."""
    began = time.process_time()
    torch.manual_seed(seed)
    n_classes = CHOICES.get(task, int(labelled.labels.max()) + 1)
    network = make_clip_network(arguments.network, n_classes).to(device_of_choice())
    found: dict[str, Any] = {"log": [], "solved": []}
    checkpoint = arguments.out / "checkpoints" / f"temporal-{task}-seed{seed}.pt"
    if task != "random":
        found["log"] = learn(network, task, unlabelled, arguments, seed, arguments.epochs, checkpoint)
    if task in CHOICES:
        found["solved"] = right_answers(network, task, labelled, arguments)
    found.update(downstream(network, labelled, arguments, seed, checkpoint))
    found.update(clustering(network, labelled, arguments))
    return {**found, "seconds": time.process_time() - began}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="your clips; the phantom's if left out")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--tasks", nargs="+", default=["random", *CHOICES, "supervised"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--network", help="r3d_18, or narrowN: a block a layer, N features in the first")
    parser.add_argument("--size", type=int, help="height and width of the crop in pixels")
    parser.add_argument("--n-clips", type=int, help="of the phantom, for each seed")
    parser.add_argument("--frames", type=int, help="of a clip; three times --length or more")
    parser.add_argument("--length", type=int, default=16, help="frames the network sees, a multiple of 4")
    parser.add_argument("--epochs", type=int, help="of pretraining")
    parser.add_argument("--tune-epochs", type=int)
    parser.add_argument("--tune-clips", type=int, help="of a fold, the most to fine-tune on; all if left out")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--optimizer", choices=("adamw", "sgd"))
    parser.add_argument("--lr", type=float, help="the highest of the cycle")
    parser.add_argument("--data-seed", type=int, default=3000, help="of the phantom's clips, plus the seed")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "ssl_temporal")
    full = parser.parse_args().full
    parser.set_defaults(
        network="r3d_18" if full else "narrow16",
        size=112 if full else 32,
        n_clips=3000 if full else 750,
        frames=48,
        epochs=50 if full else 10,
        tune_epochs=20 if full else 30,
        tune_clips=None if full else 32,
        optimizer="sgd" if full else "adamw",
        lr=0.01 if full else 0.003,
    )
    arguments = parser.parse_args()
    kept = {key: value for key, value in vars(arguments).items() if key not in ("out", "tasks", "seeds")}
    keep_settings(arguments.out, kept)
    return arguments


def clips_of(arguments: argparse.Namespace, seed: int) -> tuple[Clips, Clips]:
    """Clips to pretrain on, and labelled ones of other patients."""
    # Half a frame is about what the largest square of a fan spans.
    shape = {"frames": arguments.frames, "size": 2 * arguments.size}
    cache = arguments.out / "cache"
    if arguments.clips is not None:
        clips = cached(cache, own_clips, folder=arguments.clips, **shape)
    else:
        phantom = {"n": arguments.n_clips, "seed": arguments.data_seed + seed, "shortcut": 0.0}
        clips = cached(cache, phantom_clips, **phantom, **shape)
    if clips.labels.min() < 0:
        raise SystemExit("the downstream task needs labels: put clips into FOLDER/LABEL/.")
    return split_by_patient(cropped(clips, arguments.size), 0.2, seed)


def main() -> None:
    arguments = parse()
    results: dict[str, list[dict[str, Any]]] = {task: [] for task in arguments.tasks}
    for seed in arguments.seeds:
        unlabelled, labelled = clips_of(arguments, seed)
        for task in arguments.tasks:
            path = arguments.out / f"{task}-seed{seed}.json"
            if not path.exists():
                text = json.dumps(result_of(task, unlabelled, labelled, arguments, seed))
                write_whole(path, lambda file, text=text: file.write(text.encode()))
                for fold in (arguments.out / "checkpoints").glob(f"temporal-{task}-seed{seed}-fold*"):
                    fold.unlink()
            results[task].append(json.loads(path.read_text()))
    text = report(results) + "\n"
    write_whole(arguments.out / "temporal.md", lambda file: file.write(text.encode()))
    print(text)


if __name__ == "__main__":
    main()
