"""Real stills: learned without labels, judged with few of them, on backgrounds of other labels, too.

    python examples/ssl/real.py --root FOLDER --sectors MASKS                # FOLDER/LABEL/NUMBER.*
    python examples/ssl/real.py --root FOLDER --sectors MASKS --clips CLIPS  # and frames of clips, unlabelled

MASKS is what `sectoraug masks FOLDER --out MASKS` wrote. Neighbouring numbers are often one patient, so
blocks of them stay together; each seed holds out another fifth of the blocks, which nothing is learned from.
It goes on where it was stopped, and writes real.md and real.json into --out.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from clips import Clips, Frames, cached, every_kth, own_clips, own_paths
from labelled import swapped
from methods import SELF_SUPERVISED
from pretrain import Run, add_arguments, parse, pretrain, runs_of
from probe import DRAWS, FRACTIONS, Embedded, flips, probe_f1
from report import Results, paired, table, values
from studies import scores_of, write_results
from tqdm import tqdm

from sectoraug.workbench import kept_masks

FOLDS = 5
TESTS = ("own", "swapped")


def stills(folder: Path, sectors: Path, size: int, block: int) -> Clips:
    """Each image a clip of one frame; its patient is its block of neighbouring numbers."""
    masks = kept_masks(sectors)
    found, names = [], sorted(p.name for p in folder.iterdir() if p.is_dir())
    paths = own_paths(folder)
    for path in tqdm(paths, desc=str(folder)):
        mask = masks.get(hashlib.sha256(path.read_bytes()).hexdigest())
        if mask is None:
            continue
        if path.parent.parent != folder or not path.stem.isdecimal():
            raise SystemExit(
                f"{path} is no FOLDER/LABEL/NUMBER.*; expected stills in folders by label, numbered so that "
                "neighbours are of one patient: rename it, or move it elsewhere."
            )
        image, sector = (cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in (path, mask))
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        inside = cv2.resize(sector, (size, size), interpolation=cv2.INTER_NEAREST) > 0
        label = names.index(path.parent.name)
        found.append((small[None], inside, label, 10_000 * label + int(path.stem) // block))
    print(f"{len(found)} of {len(paths)} images have a good mask.")
    if not found:
        raise SystemExit(f"no image of {folder} has a good mask in {sectors}; run `sectoraug masks` on it.")
    frames, insides, labels, blocks = zip(*found, strict=True)
    return Clips(np.stack(frames), np.stack(insides), np.array(labels), np.array(blocks))


def held_out(blocks: np.ndarray, seed: int) -> np.ndarray:
    """Which images of these blocks, (N,) bool, a seed's test is of."""
    order = np.random.default_rng(2026).permutation(np.unique(blocks))
    return np.isin(blocks, order[seed % FOLDS :: FOLDS])


def joined(first: Frames, second: Frames) -> Frames:
    keys = ("images", "sectors", "labels", "patients")
    return Frames(*(np.concatenate([getattr(first, key), getattr(second, key)]) for key in keys))


def of_classes(frames: Frames, classes: list[int]) -> Frames:
    chosen = frames[np.isin(frames.labels, classes)]
    return replace(chosen, labels=np.searchsorted(classes, chosen.labels))


def evaluate(run: Run, images: Frames, unlabelled: Frames, classes: list[int], out: Path) -> dict[str, float]:
    rows = held_out(images.patients, run.seed)
    train, test = of_classes(images[~rows], classes), of_classes(images[rows], classes)
    learned = train if run.method == "supervised" else joined(images[~rows], unlabelled)
    encoder = pretrain(run, learned, out)
    by = partial(Embedded.by, encoder)
    fair, own, others = by(train), by(test), by(swapped(test, run.seed))
    found = {}
    for fraction in FRACTIONS:
        scores = probe_f1(fair, [own, others], fraction, DRAWS[fraction])
        found |= {f"{name}@{fraction:g}": score for name, score in zip(TESTS, scores, strict=True)}
    return found | {"flips": flips(fair, own, others)}


def report_of(results: Results, several: bool) -> str:
    columns = {f"{test} {f:.0%}": (f"{test}@{f:g}", 1) for test in TESTS for f in FRACTIONS}
    lines = ["Macro F1 in percent of linear probes\n", *table(results, columns | {"flips": ("flips", 1)})]
    trained = {method: kinds for method, kinds in results.items() if method != "random"}
    for key in (*(key for key, _ in columns.values()), "flips") if several else ():
        random = values(results["random"]["plain"], key)
        pairs = {
            f"{method}, {views}": (random, values(rows, key))
            for method, kinds in trained.items()
            for views, rows in kinds.items()
        }
        lines += [f"\n## {key}, against random\n", *paired(pairs, ("random", "own"))]
        pairs = {m: (values(k["plain"], key), values(k["backmix"], key)) for m, k in trained.items()}
        lines += [f"\n## {key}, BackMix views against plain ones\n", *paired(pairs, ("plain", "backmix"))]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="FOLDER/LABEL/NUMBER.*")
    parser.add_argument("--sectors", type=Path, required=True, help="what `sectoraug masks` wrote")
    parser.add_argument("--classes", nargs="+", help="labels that are told apart; all if left out")
    parser.add_argument("--block", type=int, default=20, help="neighbouring numbers that stay together")
    parser.add_argument(
        "--methods", nargs="+", choices=tuple(SELF_SUPERVISED), default=["simclr", "vicreg", "barlow"]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(FOLDS)))
    add_arguments(parser)
    parser.set_defaults(out=Path(__file__).parents[1] / "output" / "ssl_real")
    arguments = parse(parser)
    cache, size = arguments.out / "cache", arguments.size
    made = {"folder": arguments.root, "sectors": arguments.sectors, "block": arguments.block}
    images = every_kth(cached(cache, stills, size=size, **made), 1)
    unlabelled = images[:0]
    if arguments.clips is not None:
        shape = {"frames": arguments.frames, "size": size}
        unlabelled = every_kth(cached(cache, own_clips, folder=arguments.clips, **shape), arguments.every)
    names = sorted(p.name for p in arguments.root.iterdir() if p.is_dir())
    if unknown := sorted(set(arguments.classes or ()) - set(names)):
        raise SystemExit(f"{arguments.root} has no folders {unknown}; expected --classes among {names}.")
    classes = sorted(names.index(name) for name in arguments.classes or names)
    runs = runs_of(arguments, ["random"], [False])
    runs += runs_of(arguments, [*arguments.methods, "supervised"], [False, True])

    def scored(run: Run) -> dict[str, float]:
        return evaluate(run, images, unlabelled, classes, arguments.out)

    results = scores_of(runs, arguments.out / "scores", scored)
    write_results(arguments.out, "real", results, report_of(results, len(arguments.seeds) > 1))


if __name__ == "__main__":
    main()
