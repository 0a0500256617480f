"""One run: trained by one process or several, resumable after each epoch, judged, written as one JSON."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import Data
from frames import standardised
from judging import evaluate, judge_epoch, predictions
from methods import OWN_LOSS, Frames, Run, few_black, few_clean, start_worker, training_split
from networks import LEARNING_RATE_SHARE, cam_layer, make_network
from ranks import rank_and_world, wait_for_all
from rivals import FIRST_TRAINING, Distilled, EnergyGuided, errors_again, retrain_last_layer
from sma import SMA
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from torchvision.transforms.v2 import CutMix
from tqdm import tqdm
from whole_files import write_whole

import sectoraug as sa

BATCH = 64


@dataclass(frozen=True)
class Setting:
    """What all runs of one table share."""

    size: int = 112
    epochs: int = 100
    stem: str = "3x3"
    width: int = 64
    layer: str = "layer4"
    """Where GradCAM looks in a ResNet18."""
    learning_rate: float = 1e-3
    precision: str = "bf16"


SETTINGS = {
    "paper": Setting(),
    # A sixteenth of the arithmetic by the width alone; a grid of 2x2 at the last layer, so maps of layer3.
    "small": Setting(size=64, epochs=8, stem="torchvision", width=16, layer="layer3"),
    # The authors' stem: about four times the time, and a grid of 6x6 at the last layer.
    "small-3x3": Setting(size=48, epochs=8, width=16),
}


def model_of(run: Run, setting: Setting, n_classes: int) -> nn.Module:
    network = make_network(run.network, n_classes, setting.size, setting.stem, setting.width)
    if run.method == "sma":
        return SMA(network, n_classes)
    if run.method == "distil":
        teacher = make_network(run.network, n_classes, setting.size, setting.stem, setting.width)
        return Distilled(network, teacher, n_classes)
    return EnergyGuided(network) if run.method in OWN_LOSS else network


def layer_of(run: Run, setting: Setting) -> str:
    layer = setting.layer if run.network == "resnet18" else cam_layer(run.network)
    return f"{'trunk.' if run.method in OWN_LOSS else ''}{layer}"


def finish(
    run: Run, data: Data, setting: Setting, out: Path, device: torch.device, workers: int = 0
) -> dict[str, Any]:
    """The run's JSON, read if it is there, else made; a half-trained run goes on after its last epoch."""
    path = out / "runs" / f"{run.file}.json"
    shared = {"setting": asdict(setting), "data": data.key}
    if path.exists():
        result = json.loads(path.read_text())
        refuse_others({key: result[key] for key in shared}, shared, path)
        return result
    data = data.at(run.seed)
    start = time.perf_counter()
    state = train(run, data, setting, out, device, workers)
    seconds = time.perf_counter() - start
    result = {"run": asdict(run), "name": run.name, **shared}
    if rank_and_world()[0] == 0:
        model = model_of(run, setting, len(data.classes)).to(device)
        model.load_state_dict(state["best_model"])
        if run.method == "dfr":
            retrain_last_layer(model, few_clean(run, data))
            state["best_model"] = model.state_dict()
        plain = model_of(replace(run, method="baseline"), setting, len(data.classes)).to(device)
        result |= {
            "tests": {
                split: evaluate(model, each, layer_of(run, setting), device, len(data.classes))
                for split, each in data.tests.items()
            },
            # What differs can then be told image by image.
            "answers": {
                split: predictions(model, each, device).tolist() for split, each in data.tests.items()
            },
            "layer": layer_of(run, setting),
            "parameters": sum(p.numel() for p in model.parameters()),
            "forward_ratio": forward_ratio(model, plain, setting.size, device),
            "best_epoch": int(np.argmax(state["accuracies"])) + 1,
            "losses": state["losses"],
            "accuracies": state["accuracies"],
            "seconds_since_start": seconds,
            "ranks": rank_and_world()[1],
            "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
            "torch": torch.__version__,
        }
        write_whole(out / "weights" / f"{run.file}.pt", lambda part: torch.save(state["best_model"], part))
        write_whole(path, lambda part: part.write_text(json.dumps(result, indent=1) + "\n"))
        checkpoint(out, run).unlink(missing_ok=True)
    wait_for_all()
    return result


def refuse_others(found: Any, shared: dict[str, Any], path: Path) -> None:
    if found != shared:
        raise SystemExit(f"{path} was made with another setting or other data; choose another --out.")


def checkpoint(out: Path, run: Run) -> Path:
    return out / "checkpoints" / f"{run.file}.pt"


def train(
    run: Run, data: Data, setting: Setting, out: Path, device: torch.device, workers: int
) -> dict[str, Any]:
    """Train to the last epoch; return the checkpoint. Rank 0 judges each epoch and saves."""
    rank, n_ranks = rank_and_world()
    dataset = Frames(run, training_split(run, data.splits["train"], data.found_sectors))
    steps = setting.epochs * max(1, len(dataset) // BATCH)
    torch.manual_seed(run.seed)
    dataset.start(run.seed)
    if run.method == "jtt":
        first = make_network(run.network, len(data.classes), setting.size, setting.stem, setting.width)
        few = max(1, round(FIRST_TRAINING * steps))
        dataset.rows = errors_again(first.to(device), dataset, data.splits["train"], few)
    sampler = DistributedSampler(dataset, seed=run.seed, drop_last=True) if n_ranks > 1 else None
    batch = min(BATCH, len(dataset)) // n_ranks
    loader = DataLoader(
        dataset,
        batch,
        shuffle=sampler is None,
        sampler=sampler,
        drop_last=True,
        num_workers=workers,
        worker_init_fn=start_worker,
        pin_memory=device.type == "cuda",
    )
    torch.manual_seed(run.seed)
    model = model_of(run, setting, len(data.classes)).to(device, memory_format=torch.channels_last)
    learning_rate = LEARNING_RATE_SHARE[run.network] * setting.learning_rate
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    shared = {"setting": asdict(setting), "data": data.key}
    state: dict[str, Any] = {"epoch": 0, "best": -1.0, "best_model": {}, "losses": [], "accuracies": []}
    path = checkpoint(out, run)
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        refuse_others(saved.pop("shared"), shared, path)
        model.load_state_dict(saved.pop("model"))
        optimizer.load_state_dict(saved.pop("optimizer"))
        state = saved
    elif run.method == "distil":
        model.teach(few_black(dataset.split, run.seed), steps)
    trained = DistributedDataParallel(model) if n_ranks > 1 else model
    loss_of = sa.WeightedBackMixLoss(lam=run.lam, fraction=run.fraction)
    cutmix = CutMix(num_classes=len(data.classes)) if run.method == "cutmix" else None

    def epoch_of(epoch: int) -> Iterator[torch.Tensor]:
        """Losses of an epoch; its randomness starts here, so that a resumed run goes on as it would have."""
        progress = (epoch + 1) / setting.epochs
        seed = 1000 * run.seed + epoch + 1 + 10**6 * rank
        torch.manual_seed(seed)
        dataset.start(seed, progress)
        if sampler is not None:
            sampler.set_epoch(epoch)
        model.train()
        for each in loader:
            images, labels, mixed, sectors = (value.to(device, non_blocking=True) for value in each)
            images = standardised(images)
            if cutmix is not None:
                images, labels = cutmix(images, labels)
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=setting.precision == "bf16"):
                if run.method in OWN_LOSS:
                    loss = trained(images, labels, progress, sectors)
                else:
                    loss = loss_of(trained(images).float(), labels, mixed if run.lam else None)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss.detach()

    epochs = range(state["epoch"], setting.epochs)
    for epoch in tqdm(epochs, desc=run.file, leave=False, disable=rank > 0):
        losses = list(epoch_of(epoch))
        if rank == 0:
            judge_epoch(state, losses, model, data.splits["val"], device)
            whole = {
                **state,
                "shared": shared,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            write_whole(path, lambda part, whole=whole: torch.save(whole, part))
        wait_for_all()
    return state


@torch.inference_mode()
def forward_ratio(model: nn.Module, plain: nn.Module, size: int, device: torch.device) -> float:
    """Time of a batch's forward pass over that of the plain network: median of rounds that time both."""
    images = torch.zeros(BATCH, 1, size, size, device=device)

    def seconds(network: nn.Module) -> float:
        start = time.perf_counter()
        network(images).sum().item()
        return time.perf_counter() - start

    pair = (model.eval(), plain.eval())
    for network in pair:
        seconds(network)
    return float(np.median([seconds(model) / seconds(plain) for _ in range(15)]))
