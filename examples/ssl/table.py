"""All methods in one table: few labels, clustering at landmarks, where they look; with BackMix views or not.

    python examples/ssl/table.py                       # phantom, three seeds; trains what is missing
    python examples/ssl/table.py --seeds 0             # one seed, no intervals
    python examples/ssl/table.py --imagenet WEIGHTS    # torchvision's ResNet18 weights beside the rest
    python examples/ssl/table.py --clips FOLDER        # your clips, FOLDER/LABEL/PATIENT_*.*

It goes on where it was stopped, and writes table.md, results.json and tsne.png into --out.

The phantom's labelled images are of patients that no clip shows, and no patient is in two sets. "fair" labels
come with overlays drawn without regard to the view, "tied" ones with the overlay tied to the view 95% of the
time. The test set is fair. Of your clips 3 patients in 10 are the test set.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from clips import Clips, Frames, cached, every_kth, phantom_clips, split_by_patient, write_whole
from methods import METHODS, SELF_SUPERVISED
from networks import Encoder, imagenet_encoder
from pretrain import Run, add_arguments, clips_of, device_of_choice, parse, pretrain, runs_of, spread
from probe import (
    LAYER,
    Embedded,
    background_accuracies,
    energy,
    landmark_features,
    overlay_accuracy,
    phantom_frames,
    probe_f1,
    tuned_f1,
)
from scipy.stats import spearmanr, t
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from tqdm import tqdm

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FRACTIONS = (0.01, 0.1, 1.0)
DRAWS = {0.01: 5, 0.1: 3, 1.0: 1}
TUNED = {0.01: 2, 0.1: 1, 1.0: 1}
STEPS = {0.01: 40, 0.1: 60, 1.0: 100}
CLUSTERING = ("silhouette", "compactness", "uniqueness")


@dataclass(frozen=True)
class Labelled:
    """What encoders are judged on; no patient is in both a training and a test set."""

    fair: Frames
    """Overlays say nothing of the view."""
    tied: Frames
    """The same patients, overlays tied to the view; of one's own clips simply the same."""
    test: Frames
    tied_test: Frames
    clips: Clips
    """To find landmarks in."""
    overlays: tuple[np.ndarray, np.ndarray] | None
    """The layouts' numbers in `fair` and `test`, where they are known."""


def phantom_labelled(arguments: argparse.Namespace) -> Labelled:
    n, size, shortcut = arguments.labelled, arguments.size, arguments.shortcut
    shape = {"frames": arguments.frames, "size": size}
    fair, train_overlays = phantom_frames(n, size, 1, 0.0)
    test, test_overlays = phantom_frames(n // 4, size, 2, 0.0)
    return Labelled(
        fair,
        phantom_frames(n, size, 1, shortcut)[0],
        test,
        phantom_frames(n // 4, size, 2, shortcut)[0],
        cached(arguments.out / "cache", phantom_clips, n=48, seed=3, shortcut=shortcut, **shape),
        (train_overlays, test_overlays),
    )


def data_of(arguments: argparse.Namespace) -> tuple[Frames, Labelled]:
    """Frames to learn from without labels, and labelled ones."""
    clips = clips_of(arguments)
    if arguments.clips is None:
        return every_kth(clips, arguments.every), phantom_labelled(arguments)
    if clips.labels.min() < 0:
        raise SystemExit("the table needs labels: put your clips into FOLDER/LABEL/.")
    learned, held = split_by_patient(clips, 0.3, 0)
    train, test = every_kth(learned, arguments.every), every_kth(held, arguments.every)
    return train, Labelled(train, train, test, test, held, None)


def evaluate(encoder: Encoder, data: Labelled, tune: bool) -> dict[str, Any]:
    """All scores of one encoder; percent, but for the clustering."""
    fair, tied = Embedded.by(encoder, data.fair), Embedded.by(encoder, data.tied)
    test, tied_test = Embedded.by(encoder, data.test), Embedded.by(encoder, data.tied_test)
    found: dict[str, Any] = {"spread": vars(spread(torch.from_numpy(test.features)))}
    for fraction in FRACTIONS:
        draws = DRAWS[fraction]
        (found[f"probe@{fraction:g}"],) = probe_f1(fair, [test], fraction, draws)
        inside, outside = probe_f1(tied, [tied_test, test], fraction, draws)
        found[f"i.d.@{fraction:g}"], found[f"o.o.d.@{fraction:g}"] = inside, outside
        if tune:
            found[f"tuned@{fraction:g}"] = tuned_f1(
                encoder, data.fair, data.test, fraction, TUNED[fraction], STEPS[fraction]
            )
    found.update(background_accuracies(encoder, tied, tied_test))
    if data.overlays is not None:
        found["overlay"] = overlay_accuracy(fair, test, data.overlays)
    found.update(energy(encoder, tied, data.test))
    features, _ = landmark_features(encoder, data.clips)
    found.update(sa.clustering_scores(features))
    printed = sa.clustering_scores(features, variant="printed")
    found["printed"] = {key: printed[key] if np.isfinite(printed[key]) else None for key in CLUSTERING}
    return found


def results_of(
    frames: Frames, data: Labelled, arguments: argparse.Namespace
) -> dict[str, dict[str, list[Any]]]:
    """Scores by method and by "plain" or "backmix" views, a list over seeds."""
    bounds = ["random", *(["imagenet"] if arguments.imagenet else [])]
    runs = runs_of(arguments, bounds, [False])
    runs += runs_of(arguments, [*arguments.methods, "supervised"], [True, False])
    results: dict[str, dict[str, list[Any]]] = {}
    for run in tqdm(sorted(runs, key=lambda run: run.seed), desc="runs"):
        way = "" if arguments.tune else "-linear"
        path = arguments.out / "scores" / f"{run.name}-{len(data.fair.labels)}labels{way}.json"
        if not path.exists():
            encoder = encoder_of(run, frames, arguments)
            text = json.dumps(evaluate(encoder, data, tune=arguments.tune), indent=1)
            write_whole(path, lambda file, text=text: file.write(text.encode()))
        scores = results.setdefault(run.method, {}).setdefault("backmix" if run.backmix else "plain", [])
        scores.append(json.loads(path.read_text()))
    return results


def encoder_of(run: Run, frames: Frames, arguments: argparse.Namespace) -> Encoder:
    if run.method == "imagenet":
        return imagenet_encoder(arguments.imagenet).to(device_of_choice())
    return pretrain(run, frames, arguments.out)


# -- report ---------------------------------------------------------------------------------------


def mean_of(rows: list[Any], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def cell(rows: list[Any], key: str, digits: int = 1) -> str:
    values = [row[key] for row in rows]
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.{digits}f} ± {half:.{digits}f}"


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def head(titles: list[str]) -> list[str]:
    return [line(titles), line(["---"] * len(titles)).replace(" ", "")]


def main_table(results: dict[str, dict[str, list[Any]]], tuned: bool) -> list[str]:
    percent = [f"{fraction:.0%}" for fraction in FRACTIONS]
    ways = [("probe", "linear"), *([("tuned", "tuned")] if tuned else [])]
    lines = head(
        [
            "method",
            "views",
            *[f"{title} {share}" for _, title in ways for share in percent],
            "silhouette",
            "D_C",
            "D_U",
            "%E",
            "background",
            "overlay",
        ]
    )
    for method, kinds in results.items():
        for kind, rows in kinds.items():
            cells = [cell(rows, f"{way}@{fraction:g}") for way, _ in ways for fraction in FRACTIONS]
            cells += [cell(rows, key, 3) for key in CLUSTERING]
            cells += [cell(rows, key) for key in ("energy_percent", "background")]
            cells.append(cell(rows, "overlay") if "overlay" in rows[0] else "")
            lines.append(line([method, kind, *cells]))
    row = next(iter(next(iter(results.values())).values()))[0]
    lines.append(
        "\nMacro F1 in percent with that share of fair labels, on fair tests; after ± half a 95% interval "
        f"over seeds (Student's t). Clustering: {row['n']} features of {LAYER} at landmarks (local maxima of "
        f"motion energy, no gaze), {row['n_clusters']} clusters, robust variant. %E: GradCAM at {LAYER} of a "
        f"linear probe on tied labels; a uniform map scores {row['coverage_percent']:.0f}. Background: "
        "accuracy of a probe that learns the view from images with a black sector (tied). Overlay: of one "
        "that learns the overlay's layout from whole images (fair). Chance is 25 for both."
    )
    return lines


def shortcut_table(results: dict[str, dict[str, list[Any]]]) -> list[str]:
    """Linear probes on tied labels: does the encoder offer them the overlay?"""
    lines = head(
        [
            "method",
            *[
                f"{kind} {test} {f:.0%}"
                for f in FRACTIONS
                for kind in ("plain", "backmix")
                for test in ("i.d.", "o.o.d.")
            ],
        ]
    )
    for method, kinds in results.items():
        if "backmix" in kinds:
            cells = [
                cell(kinds[kind], f"{test}@{fraction:g}")
                for fraction in FRACTIONS
                for kind in ("plain", "backmix")
                for test in ("i.d.", "o.o.d.")
            ]
            lines.append(line([method, *cells]))
    return lines


def comparison(pairs: dict[str, tuple[list[float], list[float]]], against: str) -> list[str]:
    """Each method's scores against others, by `sa.compare_runs`, with Holm's correction over the methods."""
    title = against.capitalize()
    lines = head(["method", "mean", "95% interval", title, "its interval", "p", "differs (Holm)"])
    found = {name: sa.compare_runs({against: other, "own": own}) for name, (other, own) in pairs.items()}
    falls = True
    for k, name in enumerate(sorted(found, key=lambda name: found[name].p_value[against, "own"])):
        one, p = found[name], found[name].p_value[against, "own"]
        falls = falls and p <= 0.05 / (len(found) - k)
        cells = []
        for which in ("own", against):
            low, high = one.interval[which]
            cells += [f"{one.mean[which]:.1f}", f"{low:.1f} to {high:.1f}"]
        lines.append(line([name, *cells, f"{p:.1e}", "yes" if falls else "no"]))
    return lines


def comparisons(results: dict[str, dict[str, list[Any]]], tuned: bool, own_clips: bool) -> list[str]:
    """With 1% of the labels against random initialisation, and BackMix views against plain ones."""
    lines = []
    for key in ("probe@0.01", *(["tuned@0.01"] if tuned else [])):
        for kind in ("plain", "backmix"):
            random = [row[key] for row in results["random"]["plain"]]
            pairs = {m: (random, [row[key] for row in k[kind]]) for m, k in results.items() if kind in k}
            pairs.pop("random", None)
            lines += [f"\n## {key}, {kind} views, against random initialisation\n"]
            lines += comparison(pairs, "random")
    for key in () if own_clips else ("o.o.d.@0.01", "o.o.d.@1", "overlay", "background", "background_used"):
        both = {m: k for m, k in results.items() if "backmix" in k}
        pairs = {
            m: tuple([row[key] for row in k[kind]] for kind in ("plain", "backmix")) for m, k in both.items()
        }
        lines += [f"\n## {key}, BackMix views against plain ones\n", *comparison(pairs, "plain")]
    return lines


def correlations(results: dict[str, dict[str, list[Any]]], tuned: bool) -> list[str]:
    """Spearman's rank correlation over encoders: does clustering tell downstream F1, as the paper claims?"""
    keys = [f"probe@{fraction:g}" for fraction in FRACTIONS]
    keys += [f"tuned@{fraction:g}" for fraction in FRACTIONS] if tuned else []
    encoders = [rows for kinds in results.values() for rows in kinds.values()]
    without = [rows for name, kinds in results.items() if name in SELF_SUPERVISED for rows in kinds.values()]
    lines = head(["score", "among", *keys])
    for among, some in (("all", encoders), ("self-supervised", without)):
        if len(some) < 4:
            continue
        for score in CLUSTERING:
            sign = -1 if score == "compactness" else 1
            cells = []
            for key in keys:
                rho = spearmanr([sign * mean_of(r, score) for r in some], [mean_of(r, key) for r in some])
                cells.append(f"{rho.statistic:.2f} (p {rho.pvalue:.3f})")
            lines.append(line([f"{'-' if sign < 0 else ''}{score}", f"{among} ({len(some)})", *cells]))
    return lines


def draw_tsne(encoders: dict[str, Encoder], clips: Clips, path: Path) -> None:
    """Landmark features of each encoder in the plane, by their k-means cluster and by view."""
    figure, axes = plt.subplots(2, len(encoders), figsize=(3 * len(encoders), 6), layout="constrained")
    for (top, bottom), (name, encoder) in zip(axes.T, encoders.items(), strict=True):
        features, labels = landmark_features(encoder, clips)
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
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=list(SELF_SUPERVISED))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--imagenet", type=Path, help="torchvision's ResNet18 weights, a file of yours")
    parser.add_argument("--labelled", type=int, default=1600, help="labelled training images of the phantom")
    parser.add_argument(
        "--tune", action=argparse.BooleanOptionalAction, default=True, help="full fine-tuning too"
    )
    add_arguments(parser)
    arguments = parse(parser)
    frames, data = data_of(arguments)
    results = results_of(frames, data, arguments)
    text = json.dumps(
        {"settings": {k: str(v) for k, v in vars(arguments).items()}, "results": results}, indent=1
    )
    write_whole(arguments.out / "results.json", lambda file: file.write(text.encode()))
    lines = ["## Methods\n", *main_table(results, arguments.tune)]
    if arguments.clips is None:
        lines += ["\n## Linear probes on tied labels, macro F1\n", *shortcut_table(results)]
    if len(arguments.seeds) > 1:
        lines += comparisons(results, arguments.tune, arguments.clips is not None)
    if sum(map(len, results.values())) > 3:
        lines += ["\n## Spearman's rank correlation\n", *correlations(results, arguments.tune)]
    report = "\n".join(lines) + "\n"
    write_whole(arguments.out / "table.md", lambda file: file.write(report.encode()))
    print(report)

    shown = {"random": False, arguments.methods[-1]: True, "supervised": True}
    encoders = {
        method: encoder_of(runs_of(arguments, [method], [mixed])[0], frames, arguments)
        for method, mixed in shown.items()
    }
    draw_tsne(encoders, data.clips, arguments.out / "tsne.png")


if __name__ == "__main__":
    main()
