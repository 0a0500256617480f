"""Which runs make which table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from methods import Run

FRACTIONS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.01)
TABLES: dict[str, tuple[Run, ...]] = {
    "table1": tuple(
        Run(method)
        for method in (
            "baseline",
            "black",
            "noise",
            "shuffle",
            "blur",
            "dim",
            "cutmix",
            "sma",
            "backmix",
        )
    ),
    "table2": (
        Run("baseline"),
        *(Run("backmix", f) for f in FRACTIONS),
        *(Run("wbackmix", 0.05, lam) for lam in (1.0, 2.0)),
    ),
    # One seed, five samples that do not overlap.
    "samples": tuple(Run("backmix", 0.05, sample=k) for k in range(5)),
    # Past the paper. With --data phantom-outline, where the opening gives the label away, too:
    "outline": (
        *(
            Run(method, jitter=jitter)
            for method in ("baseline", "backmix", "backmix-match")
            for jitter in (False, True)
        ),
        Run("reshape"),
        Run("backmix-reshape"),
    ),
    # With --data phantom-clips, whose sectors are found from motion, too:
    "masks": (
        Run("baseline"),
        Run("backmix"),
        Run("backmix", masks="found"),
        *(
            Run("backmix", masks=how, iou=iou)
            for how in ("eroded", "dilated", "jittered")
            for iou in (0.9, 0.7)
        ),
    ),
    "seams": tuple(Run(m) for m in ("backmix", "backmix-soft", "backmix-other", "backmix-ramp")),
    # With --data planted, real images:
    "planted": (
        *(Run(method) for method in ("baseline", "black", "noise", "shuffle", "dim", "cutmix", "sma")),
        Run("backmix"),
        Run("backmix", 0.05),
        Run("wbackmix", 0.05, 1.0),
    ),
    "rivals": (
        *(Run(method, 0.05) for method in ("dfr", "distil", "energy")),
        *(Run(method) for method in ("jtt", "energy", "backmix-energy")),
        *(Run(method) for method in ("reshape", "backmix-match", "backmix-reshape")),
    ),
    "networks": tuple(
        Run(method, network=network)
        for network in ("resnet18", "vit-tiny", "convnext-tiny")
        for method in ("baseline", "backmix")
    ),
}


def sweep(fractions: Iterable[float], lams: Iterable[float]) -> tuple[Run, ...]:
    """A grid over f and lambda; lambda 0 is plain BackMix."""
    return tuple(
        Run("wbackmix", f, lam) if lam else Run("backmix", f)
        for f in fractions
        for lam in lams
        if f * lam <= 1
    )


def runs_of(rows: Iterable[Run], seeds: Iterable[int]) -> list[Run]:
    """Every row with every seed, each once; rows of several samples with the first seed alone."""
    seeds = list(seeds)
    rows = list(dict.fromkeys(rows))
    return [replace(row, seed=seed) for seed in seeds for row in rows if seed == seeds[0] or not row.sample]
