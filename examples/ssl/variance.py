"""Few clips or many: the same number of frames, from ever more patients.

    python examples/ssl/variance.py                    # phantom; Barlow Twins, three seeds

Writes variance.md and variance.json into --out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clips import every_kth, phantom_clips, write_whole
from methods import SELF_SUPERVISED
from pretrain import add_arguments, parse, pretrain, runs_of
from probe import Embedded, phantom_frames, probe_f1
from table import DRAWS, FRACTIONS, cell, head, line

import sectoraug as sa


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=tuple(SELF_SUPERVISED), default=["barlow"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--labelled", type=int, default=1600, help="labelled training images of the phantom")
    add_arguments(parser)
    parser.set_defaults(out=Path(__file__).parents[1] / "output" / "ssl_variance")
    arguments = parse(parser)
    if arguments.clips is not None:
        raise SystemExit("this study makes its own clips, as many as it needs; leave out --clips.")
    train, _ = phantom_frames(arguments.labelled, arguments.size, 1, 0.0)
    test, _ = phantom_frames(arguments.labelled // 4, arguments.size, 2, 0.0)
    n_frames = arguments.n_clips * len(range(0, arguments.frames, arguments.every))
    usual = arguments.frames // arguments.every
    rows: dict[str, dict[int, list[dict[str, float]]]] = {}
    for per_clip in (arguments.frames, usual, 1):
        length = arguments.frames if per_clip > 1 else 1
        clips = phantom_clips(n_frames // per_clip, length, arguments.size, 0, arguments.shortcut)
        frames = every_kth(clips, length // per_clip)
        for run in runs_of(arguments, arguments.methods, [True]):
            encoder = pretrain(run, frames, arguments.out / f"{per_clip}-a-clip")
            embedded, seen = Embedded.by(encoder, train), Embedded.by(encoder, test)
            found = {f"{k:g}": probe_f1(embedded, [seen], k, DRAWS[k])[0] for k in FRACTIONS}
            rows.setdefault(run.method, {}).setdefault(per_clip, []).append(found)
    lines = head(["method", "clips", "frames a clip", *[f"linear {fraction:.0%}" for fraction in FRACTIONS]])
    for method, sizes in rows.items():
        for per_clip, found in sizes.items():
            cells = [cell(found, f"{fraction:g}") for fraction in FRACTIONS]
            lines.append(line([method, str(n_frames // per_clip), str(per_clip), *cells]))
    if len(arguments.seeds) > 1:
        for method, sizes in rows.items():
            for fraction in FRACTIONS:
                named = {f"{n_frames // k} clips": [f[f"{fraction:g}"] for f in v] for k, v in sizes.items()}
                compared = str(sa.compare_runs(named))
                lines.append(f"\n{method}, {fraction:.0%} of the labels\n```\n{compared}\n```")
    report = "\n".join(lines) + "\n"
    write_whole(arguments.out / "variance.md", lambda file: file.write(report.encode()))
    text = json.dumps(rows, indent=1)
    write_whole(arguments.out / "variance.json", lambda file: file.write(text.encode()))
    print(report)


if __name__ == "__main__":
    main()
