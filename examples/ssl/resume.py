"""Train epoch by epoch so that a killed run goes on, and ends as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from clips import write_whole
from torch import nn


def keep_settings(out: Path, settings: dict[str, object]) -> None:
    """Write what the runs in a folder have in common, or refuse to mix them with others."""
    text = json.dumps({key: str(value) for key, value in settings.items()}, indent=1)
    described = out / "settings.json"
    if described.exists() and described.read_text() != text:
        raise SystemExit(f"{out} holds runs with other settings; choose another --out, or remove it.")
    write_whole(described, lambda file: file.write(text.encode()))


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    seed: int,
    checkpoint: Path,
    train_epoch: Callable[[int], dict[str, float]],
) -> list[dict[str, float]]:
    """What `train_epoch(epoch)` gave in each epoch; it draws from torch's generator and no other."""
    log: list[dict[str, float]] = []
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        # Buffers may be missing from the state dict: lightly keeps MoCo's queue out of it.
        for name, buffer in model.named_buffers():
            buffer.copy_(saved["buffers"][name])
        log = saved["log"]
    for epoch in range(len(log), epochs):
        # All randomness of an epoch starts here.
        torch.manual_seed(1000 * seed + epoch + 1)
        log.append(train_epoch(epoch))
        whole = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "buffers": dict(model.named_buffers()),
            "log": log,
        }
        write_whole(checkpoint, lambda file, whole=whole: torch.save(whole, file))
    return log
