"""Do some methods only need more steps? The linear probe against the length of pretraining.

    python examples/ssl/epochs.py                      # phantom; BYOL and MoCo up to 72 epochs, three seeds

It goes on where it was stopped, and writes epochs.md and epochs.json into --out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelled import data_of
from methods import SELF_SUPERVISED
from pretrain import add_arguments, parse, pretrain, runs_of
from probe import DRAWS, FRACTIONS, Embedded, probe_f1
from report import cell, head, line
from studies import write_results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=tuple(SELF_SUPERVISED), default=["byol", "moco"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[6, 24, 72], help="epochs")
    parser.add_argument("--backmix", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--labelled", type=int, default=1600, help="labelled training images of the phantom")
    add_arguments(parser)
    parser.set_defaults(out=Path(__file__).parents[1] / "output" / "ssl_epochs")
    arguments = parse(parser)
    scores: dict[str, list[dict[str, float]]] = {}
    data: dict[int, Any] = {seed: data_of(arguments, seed) for seed in arguments.seeds}
    for run in runs_of(arguments, arguments.methods, [arguments.backmix]):
        frames, labelled = data[run.seed]
        for length in arguments.lengths:
            encoder = pretrain(replace(run, epochs=length), frames, arguments.out / f"{length}-epochs")
            fair, test = Embedded.by(encoder, labelled.fair), Embedded.by(encoder, labelled.test)
            found = {f"{k:g}": probe_f1(fair, [test], k, DRAWS[k])[0] for k in FRACTIONS}
            scores.setdefault(f"{run.method} | {run.views} | {length}", []).append(found)
    lines = head(["method", "views", "epochs", *[f"linear {fraction:.0%}" for fraction in FRACTIONS]])
    for name, found in scores.items():
        lines.append(line([name, *[cell(found, f"{fraction:g}") for fraction in FRACTIONS]]))
    write_results(arguments.out, "epochs", scores, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
