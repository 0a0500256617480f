"""All methods in one table: few labels, clustering at landmarks, where they look; with BackMix views or not.

    python examples/ssl/table.py                       # phantom, eight seeds; trains what is missing
    python examples/ssl/table.py --seeds 0             # one seed, no intervals
    python examples/ssl/table.py --imagenet WEIGHTS    # torchvision's ResNet18 weights beside the rest
    python examples/ssl/table.py --clips FOLDER        # your clips, FOLDER/LABEL/PATIENT_*.*

It goes on where it was stopped, and writes table.md, table.json and tsne.png into --out.

Each seed has clips, labelled images and tests of its own, which all methods share, so that they are compared
in pairs. The phantom's labelled images are of patients that no clip shows, and no patient is in two sets.
"fair" labels come with overlays drawn without regard to the view, "tied" ones with the overlay tied to the
view 95% of the time. Of your clips 3 patients in 10 are the test set.
"""

from __future__ import annotations

import argparse
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from clips import Frames
from labelled import Labelled, data_of
from methods import INSIDE, METHODS, SELF_SUPERVISED
from networks import Encoder, imagenet_encoder
from pretrain import Run, add_arguments, device_of_choice, parse, pretrain, runs_of, spread
from probe import DRAWS, FRACTIONS, LAYER, Embedded, energy, flips, landmark_features, probe_f1, tuned_f1
from report import Results, correlation, head, line, paired, table, values
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from studies import scores_of, write_results

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

TUNED = {0.01: 2, 0.1: 1, 1.0: 1}
STEPS = {0.01: 40, 0.1: 60, 1.0: 100}
TIED = ("i.d.", "o.o.d.", "swapped")
"""Tests of probes on tied labels: overlays tied as there, without regard to the view, another view's."""
WAYS = ("plain", "backmix")
LANDMARKS = ("energy", "wall")
CLUSTERING = {"silhouette": 1, "compactness": -1, "uniqueness": 1}
"""What counts as better: more, or less."""


def evaluate(encoder: Encoder, data: Labelled, tune: bool) -> dict[str, Any]:
    """All scores of one encoder; percent, but for the clustering."""
    fair, tied = Embedded.by(encoder, data.fair), Embedded.by(encoder, data.tied)
    tests = [Embedded.by(encoder, each) for each in (data.test, data.tied_test, data.swapped_test)]
    test, tied_test, swapped_test = tests
    found: dict[str, Any] = {"spread": vars(spread(torch.from_numpy(test.features)))}
    for fraction in FRACTIONS:
        draws = DRAWS[fraction]
        (found[f"probe@{fraction:g}"],) = probe_f1(fair, [test], fraction, draws)
        scores = probe_f1(tied, [tied_test, test, swapped_test], fraction, draws)
        found |= {f"{name}@{fraction:g}": score for name, score in zip(TIED, scores, strict=True)}
        if tune:
            found[f"tuned@{fraction:g}"] = tuned_f1(
                encoder, data.fair, data.test, fraction, TUNED[fraction], STEPS[fraction]
            )
    found["flips"] = flips(tied, tied_test, swapped_test)
    found |= energy(encoder, tied, data.test)
    for name, points in data.landmarks.items():
        features, _ = landmark_features(encoder, data.clips, points)
        found[name] = sa.clustering_scores(features)
    return found


def results_of(arguments: argparse.Namespace) -> Results:
    """Scores by method and kind of views, over seeds, each of which has data of its own."""
    bounds = ["random", *(["imagenet"] if arguments.imagenet else [])]
    inside = [name for name in INSIDE if name.removesuffix("-inside") in arguments.methods]
    runs = runs_of(arguments, [*bounds, *inside], [False])
    runs += runs_of(arguments, [*arguments.methods, "supervised"], [False, True])
    data = lru_cache(maxsize=1)(partial(data_of, arguments))

    def scored(run: Run) -> dict[str, Any]:
        frames, labelled = data(run.seed)
        return evaluate(encoder_of(run, frames, arguments), labelled, arguments.tune)

    ending = f"-{arguments.labelled}labels{'' if arguments.tune else '-linear'}"
    results = scores_of(runs, arguments.out / "scores", scored, ending)
    return {name: results[name] for name in (*bounds, *METHODS) if name in results}


def encoder_of(run: Run, frames: Frames, arguments: argparse.Namespace) -> Encoder:
    if run.method == "imagenet":
        return imagenet_encoder(arguments.imagenet).to(device_of_choice())
    return pretrain(run, frames, arguments.out)


# -- report ---------------------------------------------------------------------------------------


def f1_columns(tuned: bool) -> dict[str, tuple[str, int]]:
    ways = {"probe": "linear", **({"tuned": "tuned"} if tuned else {})}
    return {f"{title} {f:.0%}": (f"{way}@{f:g}", 1) for way, title in ways.items() for f in FRACTIONS}


def compared(results: Results, key: str) -> list[str]:
    """BackMix views against plain ones."""
    both = {m: kinds for m, kinds in results.items() if "backmix" in kinds}
    return paired({m: (values(k["plain"], key), values(k["backmix"], key)) for m, k in both.items()}, WAYS)


def comparisons(results: Results, tuned: bool) -> list[str]:
    lines = []
    for key in ("probe@0.01", *(["tuned@0.01"] if tuned else [])):
        for kind in WAYS:
            random = values(results["random"]["plain"], key)
            pairs = {m: (random, values(k[kind], key)) for m, k in results.items() if kind in k}
            pairs.pop("random", None)
            lines += [f"\n## {key}, {kind} views, against random initialisation\n"]
            lines += paired(pairs, ("random", "own"))
    tied = [f"{name}@{f:g}" for name in TIED[1:] for f in FRACTIONS]
    for key in (*tied, "flips", "energy_percent"):
        lines += [f"\n## {key}, BackMix views against plain ones\n", *compared(results, key)]
    for name in INSIDE:
        if name in results:
            own, other = results[name]["plain"], results[name.removesuffix("-inside")]["plain"]
            pairs = {key: (values(other, key), values(own, key)) for key, _ in f1_columns(tuned).values()}
            lines += [f"\n## {name}\n", *paired(pairs, ("everywhere", "inside"))]
    return lines


def correlations(results: Results, tuned: bool) -> list[str]:
    """Spearman's rank correlation over encoders: does clustering tell downstream F1, as the paper claims?"""
    keys = [key for key, _ in f1_columns(tuned).values()]
    groups = {
        "all": [r for name, kinds in results.items() if name not in INSIDE for r in kinds.values()],
        "self-supervised": [r for name in SELF_SUPERVISED for r in results.get(name, {}).values()],
    }
    lines = head(["landmarks", "score", "among", *keys])
    landmarks = [name for name in LANDMARKS if name in results["random"]["plain"][0]]
    for name in landmarks:
        for score, sign in CLUSTERING.items():
            for among, encoders in groups.items():
                if len(encoders) > 3:
                    cells = [correlation(encoders, f"{name}/{score}", key, sign) for key in keys]
                    title = f"{'-' if sign < 0 else ''}{score}"
                    lines.append(line([name, title, f"{among} ({len(encoders)})", *cells]))
    return lines


def report_of(results: Results, arguments: argparse.Namespace) -> str:
    first = results["random"]["plain"][0]
    named = [name for name in LANDMARKS if name in first]
    clustering = {f"{k} ({name})": (f"{name}/{k}", 3) for name in named for k in CLUSTERING}
    tied = {f"{name} {f:.0%}": (f"{name}@{f:g}", 1) for f in FRACTIONS for name in TIED}
    lines = [
        "Macro F1 in percent, ± half a 95% interval over seeds (Student's t).\n\n## Fair labels, fair test\n",
        *table(results, f1_columns(arguments.tune)),
        "\n## Tied labels, linear\n",
        *table(results, {**tied, "flips": ("flips", 1), "%E": ("energy_percent", 1)}),
        f"\n%E: GradCAM at {LAYER}; a uniform map scores {first['coverage_percent']:.0f}.\n\n## Clustering\n",
        *table(results, clustering),
    ]
    if len(arguments.seeds) > 1:
        lines += comparisons(results, arguments.tune)
    if sum(map(len, results.values())) > 3:
        lines += ["\n## Spearman's rank correlation\n", *correlations(results, arguments.tune)]
    return "\n".join(lines) + "\n"


def draw_tsne(encoders: dict[str, Encoder], data: Labelled, path: Path) -> None:
    """Landmark features of each encoder in the plane, by their k-means cluster and by view."""
    figure, axes = plt.subplots(2, len(encoders), figsize=(3 * len(encoders), 6), layout="constrained")
    for (top, bottom), (name, encoder) in zip(axes.T, encoders.items(), strict=True):
        features, labels = landmark_features(encoder, data.clips, data.landmarks["energy"])
        unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        clusters = KMeans(8, random_state=0).fit_predict(unit)
        plane = TSNE(perplexity=min(30, len(unit) / 4), random_state=0).fit_transform(unit)
        top.scatter(*plane.T, c=clusters, cmap="tab10", s=3)
        bottom.scatter(*plane.T, c=labels, cmap="Set1", s=3)
        score = sa.clustering_scores(features, clusters)["silhouette"]
        top.set_title(f"{name}, silhouette {score:.2f}", fontsize=9)
        for axis in (top, bottom):
            axis.set_xticks([])
            axis.set_yticks([])
    axes[0, 0].set_ylabel("colour: cluster")
    axes[1, 0].set_ylabel("colour: view")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=tuple(SELF_SUPERVISED), default=list(SELF_SUPERVISED))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--imagenet", type=Path, help="torchvision's ResNet18 weights, a file of yours")
    parser.add_argument("--labelled", type=int, default=1600, help="labelled training images of the phantom")
    parser.add_argument(
        "--tune", action=argparse.BooleanOptionalAction, default=True, help="full fine-tuning too"
    )
    add_arguments(parser)
    arguments = parse(parser)
    results = results_of(arguments)
    settings = {key: str(value) for key, value in vars(arguments).items()}
    told = {"settings": settings, "results": results}
    write_results(arguments.out, "table", told, report_of(results, arguments))

    frames, data = data_of(arguments, arguments.seeds[0])
    shown = {"random": False, arguments.methods[-1]: True, "supervised": True}
    encoders = {
        method: encoder_of(runs_of(arguments, [method], [mixed])[0], frames, arguments)
        for method, mixed in shown.items()
    }
    draw_tsne(encoders, data, arguments.out / "tsne.png")


if __name__ == "__main__":
    main()
