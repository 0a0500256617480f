"""Learn from time itself: put pieces of a clip in order, tell how it is turned, or how fast it runs.

    python examples/ssl/temporal.py                  # phantom, reduced, minutes on one core
    python examples/ssl/temporal.py --full           # 112x112, 16 frames, 1,000 clips; wants a GPU
    python examples/ssl/temporal.py --clips FOLDER   # your clips, FOLDER/LABEL/PATIENT_*.*

Zhang et al. (Explainability of Self-Supervised Representation Learning for Medical Ultrasound Video): a 3D
ResNet-18 (torchvision's r3d_18, one input channel), SGD with momentum 0.9 and weight decay 1e-4; then
clustering of features at landmarks, and views of clips told in three folds of patients. Half the patients are
for pretraining. `random` and `supervised` are the bounds. It goes on where it was stopped, and writes
temporal.md into --out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from copy import deepcopy
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clips import Clips, cached, own_clips, phantom_clips, select, split_by_patient, write_whole
from pretrain import device_of_choice
from resume import fit, keep_settings
from sklearn.metrics import f1_score, precision_score
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.video import r3d_18
from tqdm import tqdm
from views import standardised

import sectoraug as sa

PIECES = torch.tensor([order for order in permutations(range(4)) if order < order[::-1]])
"""Orders of four pieces; of an order and its reverse only one, since a beat may run either way."""
PACES = (1, 2, 3)
CHOICES = {"sorting": len(PIECES), "rotation": 4, "pace": len(PACES)}


def windows(clips: Tensor, length: int, pace: Tensor) -> Tensor:
    """(B, length, H, W) from (B, T, H, W): from a random start, every `pace`-th frame."""
    last = clips.shape[1] - 1 - (length - 1) * pace
    start = (torch.rand(len(clips)) * (last + 1)).long()
    times = start[:, None] + torch.arange(length) * pace[:, None]
    return clips[torch.arange(len(clips))[:, None], times]


def posed(task: str, clips: Tensor, length: int, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A pretext task's clips (B, length, H, W) and answers (B,); for `supervised` the labels."""
    n = len(clips)
    if task == "pace":
        answers = torch.randint(len(PACES), (n,))
        return windows(clips, length, torch.tensor(PACES)[answers]), answers
    shown = windows(clips, length, torch.full((n,), 2))
    if task == "sorting":
        answers = torch.randint(len(PIECES), (n,))
        pieces = shown.unflatten(1, (4, length // 4))
        return pieces[torch.arange(n)[:, None], PIECES[answers]].flatten(1, 2), answers
    if task == "rotation":
        answers = torch.randint(4, (n,))
        turned = [torch.rot90(clip, int(k), (1, 2)) for clip, k in zip(shown, answers, strict=True)]
        return torch.stack(turned), answers
    return shown, labels


def make_network(n_classes: int) -> nn.Module:
    network = r3d_18(num_classes=n_classes)
    network.stem[0] = nn.Conv3d(1, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
    return network.to(device_of_choice())


def as_video(clips: Tensor) -> Tensor:
    """(B, T, H, W) uint8 to (B, 1, T, H, W) of mean 0 and deviation 1."""
    return standardised(clips[:, None].float())


def learn(
    network: nn.Module, task: str, clips: Clips, arguments: argparse.Namespace, epochs: int, checkpoint: Path
) -> list[dict[str, float]]:
    """Train on a pretext task, or on the labels; the log has loss and accuracy of each epoch."""
    optimizer = torch.optim.SGD(network.parameters(), lr=arguments.lr, momentum=0.9, weight_decay=1e-4)
    device = device_of_choice()
    frames, labels = torch.from_numpy(clips.frames), torch.from_numpy(clips.labels)

    def train_epoch(epoch: int) -> dict[str, float]:
        network.train()
        losses, right = [], []
        order = torch.randperm(len(frames)).split(arguments.batch)
        for rows in tqdm(order, desc=f"{task} epoch {epoch + 1}", leave=False):
            if len(rows) < 2:
                continue
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

    return fit(network, optimizer, epochs, arguments.seed, checkpoint, train_epoch)


@torch.no_grad()
def over_clips(clips: Clips, length: int, call: Callable[[Tensor], Any]) -> list[Any]:
    """`call` on each clip's middle, (1, 1, length, H, W)."""
    start = (clips.frames.shape[1] - 1 - 2 * (length - 1)) // 2
    middle = torch.from_numpy(clips.frames[:, start::2][:, :length])
    return [call(as_video(clip[None]).to(device_of_choice())) for clip in middle]


def downstream(network: nn.Module, clips: Clips, arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """Macro F1 and precision in percent of full fine-tuning, tested on each third of the patients."""
    patients = np.random.default_rng(0).permutation(np.unique(clips.patients))
    n_classes = int(clips.labels.max()) + 1
    scores: dict[str, Any] = {"f1": [], "precision": []}
    for fold in range(3):
        held = np.isin(clips.patients, patients[fold::3])
        torch.manual_seed(arguments.seed)
        tuned = deepcopy(network)
        tuned.fc = nn.Linear(tuned.fc.in_features, n_classes).to(device_of_choice())
        checkpoint = arguments.out / "checkpoints" / f"{name}-fold{fold}.pt"
        learn(tuned, "supervised", select(clips, ~held), arguments, arguments.tune_epochs, checkpoint)
        checkpoint.unlink(missing_ok=True)
        tuned.eval()
        test = select(clips, held)
        told = over_clips(test, arguments.length, lambda clip, net=tuned: int(net(clip).argmax()))
        for key, score in (("f1", f1_score), ("precision", precision_score)):
            value = score(test.labels, told, average="macro", zero_division=0)
            scores[key].append(100 * float(value))
    return scores


def clustering(network: nn.Module, clips: Clips, arguments: argparse.Namespace) -> dict[str, float]:
    """Scores of the features at each clip's landmarks."""
    network.eval()
    points = [sa.energy_landmarks(f, s, n=6) for f, s in zip(clips.frames, clips.sectors, strict=True)]
    remaining = iter(points)
    features = over_clips(
        clips, arguments.length, lambda clip: sa.features_at(network, "layer3", clip, [next(remaining)])
    )
    return sa.clustering_scores(np.concatenate(features))


def result_of(task: str, unlabelled: Clips, labelled: Clips, arguments: argparse.Namespace) -> dict[str, Any]:
    n_classes = CHOICES.get(task, int(labelled.labels.max()) + 1)
    torch.manual_seed(arguments.seed)
    network = make_network(n_classes)
    log: list[dict[str, float]] = []
    name = f"temporal-{task}-seed{arguments.seed}"
    if task != "random":
        checkpoint = arguments.out / "checkpoints" / f"{name}.pt"
        log = learn(network, task, unlabelled, arguments, arguments.epochs, checkpoint)
    scores = downstream(network, labelled, arguments, name)
    return {"log": log, **scores, **clustering(network, labelled, arguments)}


def report(results: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| model | training accuracy, chance | F1 | precision | silhouette | D_C | D_U |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, found in results.items():
        accuracy = f"{found['log'][-1]['accuracy']:.0f}" if found["log"] else ""
        chance = f", {100 / CHOICES[task]:.0f}" if task in CHOICES else ""
        cells = [
            f"{np.mean(found[key]):.1f} ± {np.std(found[key], ddof=1):.1f}" for key in ("f1", "precision")
        ]
        cells += [f"{found[key]:.3f}" for key in ("silhouette", "compactness", "uniqueness")]
        lines.append(f"| {task} | {accuracy}{chance} | {' | '.join(cells)} |")
    compared = sa.compare_runs({task: found["f1"] for task, found in results.items()})
    return "\n".join(
        [
            *lines,
            "\nPercent; mean ± standard deviation over three folds of patients.\n",
            "```",
            str(compared),
            "```",
        ]
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="your clips; the phantom's if left out")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--tasks", nargs="+", default=["random", *CHOICES, "supervised"])
    parser.add_argument("--size", type=int, help="height and width in pixels")
    parser.add_argument("--n-clips", type=int, help="of the phantom")
    parser.add_argument("--frames", type=int, help="of a clip; three times --length or more")
    parser.add_argument("--length", type=int, help="frames the network sees, a multiple of 4")
    parser.add_argument("--epochs", type=int, help="of pretraining")
    parser.add_argument("--tune-epochs", type=int)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shortcut", type=float, default=0.0, help="how often overlays are tied to the view")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "ssl_temporal")
    full = parser.parse_args().full
    parser.set_defaults(
        size=112 if full else 32,
        n_clips=1000 if full else 144,
        frames=48 if full else 24,
        length=16 if full else 8,
        epochs=50 if full else 6,
        tune_epochs=20 if full else 3,
    )
    arguments = parser.parse_args()
    kept = {key: value for key, value in vars(arguments).items() if key not in ("out", "tasks", "seed")}
    keep_settings(arguments.out, kept)
    return arguments


def main() -> None:
    arguments = parse()
    shape = {"frames": arguments.frames, "size": arguments.size}
    cache = arguments.out / "cache"
    if arguments.clips is not None:
        clips = cached(cache, own_clips, folder=arguments.clips, **shape)
    else:
        phantom = {"n": arguments.n_clips, "seed": 5, "shortcut": arguments.shortcut}
        clips = cached(cache, phantom_clips, **phantom, **shape)
    if clips.labels.min() < 0:
        raise SystemExit("the downstream task needs labels: put clips into FOLDER/LABEL/.")
    unlabelled, labelled = split_by_patient(clips, 0.5, 0)
    results = {}
    for task in arguments.tasks:
        path = arguments.out / f"{task}-seed{arguments.seed}.json"
        if not path.exists():
            text = json.dumps(result_of(task, unlabelled, labelled, arguments))
            write_whole(path, lambda file, text=text: file.write(text.encode()))
        results[task] = json.loads(path.read_text())
    text = report(results) + "\n"
    write_whole(arguments.out / "temporal.md", lambda file: file.write(text.encode()))
    print(text)


if __name__ == "__main__":
    main()
