"""Accuracy against attenuation and shadows of growing strength, which stay the same over a clip.

    python examples/ssl/robust.py                      # phantom; uses what table.py has trained

Encoders learned from plain views, BackMix views, views with attenuation and shadows, and both. It goes on
where it was stopped, and writes robust.md and robust.json into --out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
import torch
from acoustics import KINDS, damaged
from clips import Frames
from labelled import Labelled, data_of
from methods import SELF_SUPERVISED
from networks import Encoder
from pretrain import Run, add_arguments, parse, pretrain, runs_of
from probe import Embedded, probe_f1
from report import Results, paired, table, values
from studies import scores_of, write_results
from views import as_images

STRENGTHS = (0.33, 0.67, 1.0)
FRACTION, DRAWS = 0.1, 3


def damaged_frames(frames: Frames, kind: str, strength: float) -> Frames:
    """All frames of a patient alike."""
    _, clips = np.unique(frames.patients, return_inverse=True)
    arrays = as_images(torch.from_numpy(frames.images)), torch.from_numpy(frames.sectors)
    images = damaged(*arrays, kind, strength, torch.from_numpy(clips))
    return replace(frames, images=(255 * images[:, 0]).round().byte().numpy())


def evaluate(encoder: Encoder, data: Labelled) -> dict[str, float]:
    """Macro F1 of a probe on fair labels for the test as it is, and damaged."""
    tests = {"0": data.test} | {
        f"{kind}@{strength:g}": damaged_frames(data.test, kind, strength)
        for kind in KINDS
        for strength in STRENGTHS
    }
    seen = [Embedded.by(encoder, test) for test in tests.values()]
    found = probe_f1(Embedded.by(encoder, data.fair), seen, FRACTION, DRAWS)
    return dict(zip(tests, found, strict=True))


def results_of(arguments: argparse.Namespace) -> Results:
    runs = runs_of(arguments, ["random"], [False])
    for acoustic in (False, True):
        runs += [replace(r, acoustic=acoustic) for r in runs_of(arguments, arguments.methods, [False, True])]
    data = lru_cache(maxsize=1)(partial(data_of, arguments))

    def scored(run: Run) -> dict[str, float]:
        frames, labelled = data(run.seed)
        return evaluate(pretrain(run, frames, arguments.out), labelled)

    return scores_of(runs, arguments.out / "robust", scored, f"-{arguments.labelled}labels")


def report_of(results: Results, several: bool) -> str:
    columns = {"as it is": ("0", 1)}
    columns |= {f"{kind} {s:g}": (f"{kind}@{s:g}", 1) for kind in KINDS for s in STRENGTHS}
    lines = [
        f"Macro F1 in percent of linear probes on {FRACTION:.0%} of the labels\n",
        *table(results, columns),
    ]
    trained = {method: kinds for method, kinds in results.items() if method != "random"}
    for first, second in (("plain", "backmix"), ("plain", "acoustic"), ("backmix", "backmix + acoustic")):
        for key in (f"{kind}@{STRENGTHS[-1]:g}" for kind in KINDS if several):
            pairs = {m: (values(k[first], key), values(k[second], key)) for m, k in trained.items()}
            lines += [f"\n## {key}, {second} against {first}\n", *paired(pairs, (first, second))]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=tuple(SELF_SUPERVISED), default=["simclr", "vicreg"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--labelled", type=int, default=1600, help="labelled training images of the phantom")
    add_arguments(parser)
    arguments = parse(parser)
    results = results_of(arguments)
    write_results(arguments.out, "robust", results, report_of(results, len(arguments.seeds) > 1))


if __name__ == "__main__":
    main()
