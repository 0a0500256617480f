"""Few clips or many: as many frames from ever more patients, at three sizes, and as many steps on each.

    python examples/ssl/variance.py                    # phantom; Barlow Twins, eight seeds

It goes on where it was stopped, and writes variance.md and variance.json into --out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from clips import every_kth, phantom_clips
from labelled import part, phantom_frames
from methods import SELF_SUPERVISED
from pretrain import add_arguments, parse, pretrain, runs_of
from probe import DRAWS, FRACTIONS, Embedded, probe_f1
from report import cell, head, line, paired, values
from studies import write_results

CLIPS = (15, 60, 240)
"""Of --frames frames each; beside them as many frames, each of a patient of its own."""
STEPS = 132


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", choices=tuple(SELF_SUPERVISED), default="barlow")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--labelled", type=int, default=1600, help="labelled training images of the phantom")
    add_arguments(parser)
    parser.set_defaults(out=Path(__file__).parents[1] / "output" / "ssl_variance")
    arguments = parse(parser)
    if arguments.clips is not None:
        raise SystemExit("this study makes its own clips, as many as it needs; leave out --clips.")
    scores: dict[tuple[int, int], list[dict[str, float]]] = {}
    for run in runs_of(arguments, [arguments.method], [True]):
        train, test = (
            phantom_frames(n, arguments.size, part(run.seed, k), 0.0)
            for n, k in ((arguments.labelled, 1), (arguments.labelled // 4, 2))
        )
        for few in CLIPS:
            for n, length in ((few, arguments.frames), (few * arguments.frames, 1)):
                made = phantom_clips(n, length, arguments.size, part(run.seed, 4), arguments.shortcut)
                epochs = max(1, round(STEPS / max(1, n * length // run.batch)))
                out = arguments.out / f"{n}-clips-of-{length}"
                encoder = pretrain(replace(run, epochs=epochs), every_kth(made, 1), out)
                embedded, seen = Embedded.by(encoder, train), Embedded.by(encoder, test)
                found = {f"{k:g}": probe_f1(embedded, [seen], k, DRAWS[k])[0] for k in FRACTIONS}
                scores.setdefault((n, length), []).append(found)
    lines = head(["frames", "clips", "frames a clip", *[f"linear {fraction:.0%}" for fraction in FRACTIONS]])
    for (n, length), found in scores.items():
        cells = [cell(found, f"{fraction:g}") for fraction in FRACTIONS]
        lines.append(line([f"{n * length}", f"{n}", f"{length}", *cells]))
    if len(arguments.seeds) > 1:
        few = {n * length: found for (n, length), found in scores.items() if length > 1}
        many = {n: found for (n, length), found in scores.items() if length == 1}
        for key in (f"{fraction:g}" for fraction in FRACTIONS):
            alike = {f"{n} frames": (values(few[n], key), values(many[n], key)) for n in few}
            lines += [f"\n## {float(key):.0%} of the labels, as many frames\n"]
            lines += paired(alike, ("few clips", "many clips"))
            sizes = sorted(few)
            more = {
                f"{a} of many, {b} of few": (values(few[b], key), values(many[a], key))
                for a, b in pairwise(sizes)
            }
            lines += [
                "\nA fourth of the frames, from many clips:\n",
                *paired(more, ("few clips", "many clips")),
            ]
    told = {f"{n} clips of {length}": found for (n, length), found in scores.items()}
    write_results(arguments.out, "variance", told, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
