"""Artifacts of a small network: its explanation, its loss, and four steps of its training."""

from __future__ import annotations

import torch
from made import batch, digest

import sectoraug as sa


def network(device: str) -> torch.nn.Sequential:
    torch.manual_seed(0)
    layers = (
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, stride=2),
    )
    return torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(256, 4)
    ).to(device)


def gradcam(device: str) -> str:
    images, sectors = batch(device)
    with sa.GradCAM(network(device).eval(), "3") as explain:
        cam = explain(images)
    return digest(cam, sa.energy_percent(cam, sectors), sa.focus_percent(cam, sectors))


def loss(device: str) -> str:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 4, generator=generator).to(device).requires_grad_()
    target, mixed = torch.arange(64, device=device) % 4, torch.arange(64, device=device) % 3 == 0
    value = sa.WeightedBackMixLoss(fraction=0.3)(logits, target, mixed)
    value.backward()
    return digest(value, logits.grad)


def trained(device: str) -> str:
    images, sectors = batch(device)
    model, op = network(device), sa.RandomBackMix(p=0.5)
    criterion = sa.WeightedBackMixLoss(fraction=0.5)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(4):
        mixed = op(images, sectors)
        optimiser.zero_grad()
        criterion(model(mixed), torch.arange(6, device=device) % 4, op.mixed).backward()
        optimiser.step()
    return digest(*model.state_dict().values())
