"""Every other public function: losses, evidence, geometry, phantoms, pools, shortcuts, sectors."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import sectoraug as sa
from fuzzing.confined import Broken
from fuzzing.swaps import a_pool
from fuzzing.values import Rng, broken, call, donor, pixels, sector, size


@cache
def _net() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return net.eval()


def _pick(rng: Rng, *cases: Any) -> Any:
    return cases[int(rng.integers(len(cases)))](rng)


def losses(rng: Rng) -> str:
    n = int(rng.integers(1, 6))
    logits, target = torch.from_numpy(rng.normal(size=(n, 3))), torch.from_numpy(rng.integers(0, 3, n))
    mixed = torch.from_numpy(rng.random(n) < 0.5)
    if rng.random() < 0.5:
        return call(rng, sa.backmix_weights, mixed, lam=1.0, fraction=0.05)
    made = {"lam": 1.0, "fraction": 0.05, "label_smoothing": 0.1, "reduction": "mean"}
    if rng.random() < 0.3:
        return call(rng, sa.WeightedBackMixLoss, **made)
    return call(rng, sa.WeightedBackMixLoss(), logits, target, mixed)


def evidence(rng: Rng) -> str:
    n, side = int(rng.integers(1, 4)), size(rng)
    cam = torch.from_numpy(rng.random((n, *side)).astype(np.float32))
    inside = torch.from_numpy(np.stack([sector(rng, side, 0) for _ in range(n)]))

    def within(found: Any, *rest: Any, **named: Any) -> None:
        good = found[~torch.isnan(found)]
        if len(good) and (good.min() < 0 or good.max() > 100 + 1e-4):
            raise Broken("a percentage beyond 0..100")

    def metric(cam: Any, inside: Any) -> Any:
        focus = sa.Focus()
        focus.update(cam, inside)
        return focus.compute()

    return _pick(
        rng,
        lambda rng: call(rng, sa.energy_percent, cam, inside, check=within),
        lambda rng: call(rng, sa.focus_percent, cam, inside, threshold=0.5, check=within),
        lambda rng: call(rng, sa.coverage_percent, inside, check=within),
        lambda rng: call(rng, metric, cam, inside),
    )


def gradcam(rng: Rng) -> str:
    images = torch.from_numpy(rng.random((2, 1, 12, 12)).astype(np.float32))

    def cam(net: Any, layer: Any, target: Any) -> Any:
        with sa.GradCAM(net, layer) as made:
            return made(images, target=target)  # images of another size are the network's to refuse

    def features(net: Any, layer: Any, points: Any) -> Any:
        return sa.features_at(net, layer, images, points)

    points = [rng.random((2, 2)) * 11 for _ in range(2)]
    return _pick(
        rng,
        lambda rng: call(rng, cam, _net(), "0", None),
        lambda rng: call(rng, cam, _net(), "0", torch.tensor([0, 2])),
        lambda rng: call(rng, features, _net(), "0", points),
    )


def statistics(rng: Rng) -> str:
    runs = {name: rng.normal(80, 2, 4).tolist() for name in "abc"}
    values, clusters = rng.normal(size=12), np.repeat(np.arange(4), 3)
    features, labels = rng.normal(size=(14, 3)), np.arange(14) % 3
    options = {"n_clusters": 3, "tau": 1.0, "metric": "sqeuclidean", "variant": "robust"}
    frames = np.stack([pixels(rng, (24, 24)) for _ in range(3)])
    return _pick(
        rng,
        lambda rng: call(rng, sa.compare_runs, runs, confidence=0.95, paired=bool(rng.integers(2))),
        lambda rng: call(rng, sa.compare_runs, {**runs, "a": broken(rng, runs["a"])}),
        lambda rng: call(
            rng, sa.clustered_bootstrap, values, clusters, confidence=0.95, n_resamples=20, seed=1
        ),
        lambda rng: call(rng, sa.clustering_scores, features, labels, tau=1.0, variant="printed"),
        lambda rng: call(rng, sa.clustering_scores, features, **options),
        lambda rng: call(rng, sa.energy_landmarks, frames, sector(rng, (24, 24), 0), n=3, distance_px=2.0),
    )


def geometry(rng: Rng) -> str:
    fan = sa.SectorGeometry("phased", (0, 0, 47, 39), (24, 2), (-0.6, 0.6), (2, 36))
    about = fan.to_dict()
    key = str(rng.choice(list(about)))
    numbers = {"box_px": [0, 0, 47, 39], "apex_px": [24, 2], "angles_rad": [-0.6, 0.6], "radii_px": [2, 36]}
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    return _pick(
        rng,
        lambda rng: call(rng, sa.SectorGeometry, "phased", **numbers, pixel_aspect=1.0),
        lambda rng: call(rng, sa.SectorGeometry.from_dict, {**about, key: broken(rng, about[key])}),
        lambda rng: call(rng, sa.SectorGeometry.from_dict, {k: v for k, v in about.items() if k != key}),
        lambda rng: call(rng, fan.rasterise, (40, 48)),
        lambda rng: call(rng, fan.crop_box, (40, 48)),
        lambda rng: call(rng, fan.scaled, 2.0, 0.5),
        lambda rng: call(rng, fan.holds, x, y, p=0),
        lambda rng: call(rng, sa.SectorGeometry.whole_frame, (40, 48)),
    )


def phantoms(rng: Rng) -> str:
    made = {"frames": 2, "size": (32, 40), "seed": int(rng.integers(99))}
    options = {"shortcut": 0.9, "outline_shortcut": 0.1, "seed": 0, "size": (32, 32)}
    return _pick(
        rng,
        lambda rng: call(rng, sa.phantom.make_clip, view="A4C", **made, p=0.6),
        lambda rng: call(rng, sa.phantom.make_dataset, 4, **options, p=0.6),
    )


def pools(rng: Rng, folder: Path) -> str:
    side, dtype = size(rng), (np.uint8, np.float32)[rng.integers(2)]
    images, sectors = map(list, zip(*(donor(rng, side, dtype) for _ in range(3)), strict=True))
    options = {"resize": "stretch", "size": size(rng), "skip_invalid": bool(rng.integers(2))}

    def check(pool: Any, *rest: Any, **named: Any) -> None:
        for index in range(len(pool)):
            background, inside = pool[index]
            if background[inside].any():
                raise Broken("a background is not black inside its sector")

    if rng.random() < 0.7:
        return call(rng, sa.BackgroundPool.from_arrays, images, sectors, **options, check=check)
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    return _pick(
        rng,
        lambda rng: call(rng, pool.draw, np.random.default_rng(0), exclude=1),
        lambda rng: call(rng, pool.subset, 0.5, 0),
        lambda rng: call(rng, partial(_donor_at, pool), 1, p=0.9),
        lambda rng: call(rng, sa.BackMix, pool, p=0.5, sector_key="mask", missing="skip", resize="pad"),
        lambda rng: call(rng, pool.to, "cpu"),
        lambda rng: _damaged_pool(rng, pool, folder),
    )


def _donor_at(pool: Any, index: Any) -> Any:
    try:
        return pool[index]
    except IndexError as error:  # what Python expects of a sequence
        raise ValueError(str(error)) from error


def _damaged_pool(rng: Rng, pool: Any, folder: Path) -> str:
    pool.save(folder / "pool", progress=False)
    name = ("pool.json", "backgrounds.bin", "sectors.bin", "checksums.bin")[rng.integers(4)]
    path = folder / "pool" / name
    if name == "pool.json" and rng.random() < 0.7:
        about = json.loads(path.read_text())
        key = str(rng.choice(list(about)))
        about[key] = broken(rng, about[key])
        try:
            path.write_text(json.dumps(about))
        except (TypeError, ValueError):
            return "no JSON."
    else:
        data = bytearray(path.read_bytes())
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data[: len(data) - int(rng.integers(2))])
    opened = sa.BackgroundPool.open(folder / "pool")
    if all(
        np.array_equal(opened[k][0], pool[k][0]) and opened[k][1].all() == pool[k][1].all() for k in range(3)
    ):
        return "done"
    raise Broken("a damaged pool was opened")


def shortcuts(rng: Rng) -> str:
    pool = a_pool(np.uint8, 0, 0)
    images = [pixels(rng, (9, 12)) for _ in range(4)]
    sectors, labels = [sector(rng, (9, 12), 0) for _ in range(4)], [0, 1, 0, 1]
    styles = np.array([0, 1, 0, 1, 0])
    return _pick(
        rng,
        lambda rng: call(rng, sa.plant_shortcut, images, sectors, labels, pool, 0.95, seed=0, styles=styles),
        lambda rng: call(rng, sa.donor_styles, pool, 2),
        lambda rng: call(rng, sa.style_sheet, pool, styles, n=2, seed=0),
        lambda rng: call(rng, sa.properties, images, sectors),
    )


def audit(rng: Rng) -> str:
    n = 16
    images = [pixels(rng, (24, 24)) for _ in range(n)]
    sectors, groups = [sector(rng, (24, 24), 0) for _ in range(n)], [f"g{k % 8}" for k in range(n)]
    labels = [k // 2 % 2 for k in range(n)]
    options = {"n_permutations": 3, "seed": 0, "progress": False}
    return call(rng, sa.audit, images, sectors, labels, groups, **options, p=0.8)


def sectors_found(rng: Rng) -> str:
    clip = sa.phantom.make_clip(frames=3, size=(40, 48), seed=int(rng.integers(50)))
    method = str(rng.choice(["fan", "hull", "filled", "threshold"]))

    def check(found: Any, frames: Any, *rest: Any, **named: Any) -> None:
        if found.sector.dtype != bool or not 0 <= found.quality <= 1:
            raise Broken("a sector that is not bool, or a quality beyond 0..1")

    return _pick(
        rng,
        lambda rng: call(rng, sa.sector_from_clip, clip.frames, method=method, level=0.5, check=check),
        lambda rng: call(rng, sa.sector_from_image, clip.frames[0], regions=(), candidates=(), check=check),
        lambda rng: call(rng, sa.fit_outline, sector(rng, (40, 48))),
        lambda rng: call(rng, sa.fit_outline, clip.sector),
    )


def reshape(rng: Rng) -> str:
    clip = sa.phantom.make_clip(frames=1, size=(40, 48), seed=int(rng.integers(20)))
    transform = sa.ReshapeSector(p=1.0)
    geometry = sa.fit_outline(clip.sector) if rng.random() < 0.3 else None

    def check(out: Any, **data: Any) -> None:
        if out["image"].shape != data["image"].shape or out["image"].dtype != data["image"].dtype:
            raise Broken("another shape or dtype than that of the image")

    return call(rng, transform, check=check, image=clip.frames[0], mask=clip.sector, geometry=geometry)
