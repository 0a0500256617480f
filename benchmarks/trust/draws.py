"""Donors are drawn uniformly and independently, p is kept, and BackMix leaves no tie of background and label.

    python benchmarks/trust/draws.py [--full] [--write]

Seeds are fixed, so a run repeats. Holm's smallest adjusted p-value over all tests has to stay above ALPHA.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import albumentations as A
import numpy as np
import torch
from plugs_draw import (
    N_DONORS,
    PLUGS,
    Draw,
    by_albumentations,
    by_kornia,
    by_pool,
    by_torchvision,
    by_torchvision_batch,
    in_workers,
    pool_of,
    rings,
)
from promises import Promise, main
from scipy import stats

import sectoraug as sa

ALPHA = 1e-4


def uniform(donors: np.ndarray, n: int) -> float:
    """The p-value of donors 0..n-1 being equally likely; any other number is none."""
    counts = np.bincount(donors.astype(int), minlength=n)
    return 0.0 if len(counts) > n else float(stats.chisquare(counts).pvalue)


def independent(first: np.ndarray, second: np.ndarray) -> float:
    """The p-value of two draws that were made together telling nothing about each other."""
    return float(stats.chi2_contingency(stats.contingency.crosstab(first, second)[1]).pvalue)


def neighbours(donors: np.ndarray) -> float:
    pairs = donors[: len(donors) // 2 * 2].reshape(-1, 2)
    return independent(pairs[:, 0], pairs[:, 1])


def uniformity(n: int) -> dict[str, float]:
    pool, wide = pool_of(N_DONORS), pool_of(251)
    half = wide.subset(0.5, 1)
    members = {int(half[k][0][1, 1]) - 1: k for k in range(len(half))}
    found = {}
    for name, plug in {"pool.draw": by_pool, **PLUGS}.items():
        found[f"{name}, {N_DONORS} donors"] = uniform(plug(pool)(n), N_DONORS)
        found[f"{name}, 251 donors"] = uniform(plug(wide)(n), 251)
        others = plug(pool, 3)(n)
        found[f"{name}, not itself"] = (
            0.0 if (others == 3).any() else uniform(others - (others > 3), N_DONORS - 1)
        )
    calls = by_albumentations(half)(n)
    found["albumentations, a subset"] = uniform(np.array([members[int(donor)] for donor in calls]), len(half))
    found["kornia, a pool"] = uniform(by_kornia(pool)(n), N_DONORS)
    found["torchvision, batches"] = uniform(by_torchvision_batch(pool)(n), N_DONORS)
    found["kornia, the batch's rings"] = uniform(rings(4)(n // 10), 6)
    chosen = np.bincount(
        [int(wide.subset(0.2, seed)[k][0][1, 1]) - 1 for seed in range(n // 2000) for k in range(50)],
        minlength=251,
    )
    expected = chosen.mean()
    spread = ((chosen - expected) ** 2).sum() / (expected * (1 - 50 / 251)) * 250 / 251
    found["pool.subset over seeds"] = float(stats.chi2.sf(spread, 250))
    return found


def independence(n: int) -> dict[str, float]:
    pool = pool_of(N_DONORS)
    found = {f"{name}, neighbours": neighbours(plug(pool)(n)) for name, plug in PLUGS.items()}
    found["kornia, neighbours in a batch"] = neighbours(by_kornia(pool)(n))
    found["kornia, neighbouring rings"] = neighbours(rings(4)(n // 10))
    for name, plug in PLUGS.items():
        workers = in_workers(plug, n // 10, 4)
        found[f"{name}, in 4 workers"] = uniform(workers.ravel(), N_DONORS)
        found[f"{name}, between workers"] = independent(workers[0], workers[1])
    for n_donors in (2, N_DONORS, 8):
        by_rank = {name: [] for name in ("torchvision", "kornia")}
        for rank in ("0", "1"):
            os.environ["RANK"] = rank
            for name, plug in (("torchvision", by_torchvision), ("kornia", by_kornia)):
                torch.manual_seed(5)
                by_rank[name].append(plug(pool_of(n_donors))(n))
        del os.environ["RANK"]
        for name, (first, second) in by_rank.items():
            found[f"{name}, ranks 0 and 1, {n_donors} donors"] = independent(first, second)
    for name, draw in (("torchvision", by_torchvision(pool)), ("kornia", by_kornia(pool))):
        firsts = np.array([_first(draw, seed) for seed in range(n // 50)])
        found[f"{name}, seeds that follow each other"] = independent(firsts[:-1], firsts[1:])
        found[f"{name}, first draws over seeds"] = uniform(firsts, N_DONORS)
    return found


def _first(draw: Draw, seed: int) -> int:
    torch.manual_seed(seed)
    return int(draw(1)[0])


def kept_p(n: int) -> dict[str, float]:
    found = {}
    for name, plug in (*PLUGS.items(), ("kornia", by_kornia)):
        for p in (0.05, 0.3, 0.9):
            draws = plug(pool_of(N_DONORS), p=p)(n)
            mixed = draws >= 0
            found[f"{name}, p={p}"] = float(stats.binomtest(int(mixed.sum()), n, p).pvalue)
            found[f"{name}, p={p}, donors"] = uniform(draws[mixed], N_DONORS)
            found[f"{name}, p={p}, neighbours"] = neighbours(mixed)
    return found


def styles_of(images: np.ndarray, sectors: np.ndarray) -> np.ndarray:
    """The background's style by pixels outside all sectors: a look at those alone, in four clusters."""
    from sklearn.cluster import KMeans

    outside = ~sectors.any(0)
    return KMeans(4, n_init=4, random_state=0).fit_predict(images[:, outside].astype(np.float32))


def information(styles: np.ndarray, labels: np.ndarray) -> float:
    """Mutual information in bits."""
    table = stats.contingency.crosstab(styles, labels)[1] / len(labels)
    alone = table.sum(0) * table.sum(1)[:, None]
    seen = table > 0
    return float((table[seen] * np.log2(table[seen] / alone[seen])).sum())


def tie(n_images: int, n_permutations: int) -> tuple[float, float, dict[str, float]]:
    """Bits that styles tell of a phantom's labels, shortcut .95, before and after BackMix, and p-values."""
    data = sa.phantom.make_dataset(n_images, shortcut=0.95, size=(48, 48))
    pool = sa.BackgroundPool.from_arrays(data.images, data.sectors)
    train = A.Compose([sa.BackMix(pool)])
    torch.manual_seed(0)
    planes = data.sectors.view(np.uint8)
    mixed = np.stack(
        [
            train(image=i, mask=s, pool_index=k)["image"]
            for k, (i, s) in enumerate(zip(data.images, planes, strict=True))
        ]
    )
    rng = np.random.default_rng(0)
    bits, p_values = [], []
    for images in (data.images, mixed):
        styles = styles_of(images, data.sectors)
        bits.append(information(styles, data.labels))
        dealt = [information(styles, rng.permutation(data.labels)) for _ in range(n_permutations)]
        p_values.append((1 + sum(value >= bits[-1] for value in dealt)) / (n_permutations + 1))
    return bits[0], bits[1], {"before": p_values[0], "after": p_values[1]}


def smallest(p_values: dict[str, float]) -> tuple[str, float]:
    """The name of the smallest p-value, and Holm's adjusted one."""
    name = min(p_values, key=lambda key: p_values[key])
    return name, min(1.0, p_values[name] * len(p_values))


def noticed_tilt(n: int) -> float:
    """The least tilt of one donor of seven, in percent, that these tests notice nine times in ten."""
    for tilt in (0.5, 1, 2, 3, 5, 10, 20):
        shares = np.full(N_DONORS, 1 / N_DONORS)
        shares[0] *= 1 + tilt / 100
        counts = np.random.default_rng(0).multinomial(n, shares / shares.sum(), 200)
        if (stats.chisquare(counts, axis=1).pvalue < ALPHA / 100).mean() >= 0.9:
            return tilt
    return float("inf")


def check(full: bool) -> list[Promise]:
    torch.manual_seed(0)
    n = 1_000_000 if full else 20_000
    groups = {
        "Every donor is as likely as any other": uniformity(n),
        "A draw tells nothing about the next, another worker's, rank's or seed's": independence(n),
        "p is kept, and tells nothing about the donor": kept_p(n),
    }
    n_tests = sum(map(len, groups.values()))
    promises = []
    for promise, p_values in groups.items():
        name, p = smallest(p_values)
        p = min(1.0, p * n_tests / len(p_values))
        tried = f"{len(p_values)} tests of {n:,} draws or a share of them"
        promises.append(Promise(promise, tried, f"smallest p, Holm over all, {p:.2g} ({name})", p > ALPHA))
    tilt = noticed_tilt(n)
    tried = f"one of seven donors drawn more often, {n:,} draws, 200 times"
    least = 3 if full else 20
    promises.append(Promise("These tests can fail", tried, f"noticed from {tilt:g} % on", tilt <= least))
    n_images, n_permutations = (4000, 9999) if full else (400, 499)
    before, after, p_values = tie(n_images, n_permutations)
    found = ", ".join(
        f"{bits:.4f} bits (p {p_values[when]:.2g}) {when}"
        for bits, when in ((before, "before"), (after, "after"))
    )
    held = p_values["before"] <= 1 / (n_permutations + 1) and p_values["after"] > 0.001
    tried = f"phantom of {n_images:,} images, shortcut .95, {n_permutations:,} permutations"
    promises.append(Promise("After BackMix the background tells nothing about the label", tried, found, held))
    return promises


if __name__ == "__main__":
    main(__doc__, check)
