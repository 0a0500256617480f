"""The tables: our numbers from runs/*.json beside the printed ones, and what the intervals let one say.

python examples/reproduce/tables.py FOLDER/runs
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from scipy.stats import page_trend_test

import sectoraug as sa

Result = dict[str, Any]
Groups = dict[str, list[Result]]

SHOWN = {"accuracy": "accuracy", "f1": "F1", "energy": "%E", "focus": "%F"}
SHOWN_IN_TABLE2 = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "energy": "%E",
    "focus": "%F",
}
# As printed: Table 1's i.d. columns, then the o.o.d. ones, Table 2's where it has the row. The paper's one
# Bokeh stands beside both of ours.
_BOKEH = ((97.2, 96.9, 77.6, 93.9), (87.9, 87.1, 78.8, 95.4))
_PRINTED: dict[str, tuple[tuple[float, ...], ...]] = {
    "baseline": ((97.7, 97.5, 77.9, 92.3), (88.7, 91.2, 87.1, 88.0, 79.5, 94.3)),
    "black": ((96.2, 95.7, 81.8, 97.4), (89.8, 89.4, 80.8, 96.8)),
    "noise": ((95.5, 95.0, 83.7, 97.4), (89.3, 88.8, 81.9, 96.5)),
    "shuffle": ((96.6, 96.2, 82.6, 96.8), (89.9, 89.4, 82.1, 96.2)),
    "blur": _BOKEH,
    "dim": _BOKEH,
    "cutmix": ((97.9, 97.7, 70.3, 87.6), (89.1, 88.6, 73.2, 90.9)),
    "sma": ((97.2, 96.9, 82.8, 95.3), (88.0, 86.8, 81.9, 96.5)),
    "backmix f=1": ((96.9, 96.2, 86.2, 97.8), (92.4, 92.9, 91.7, 92.1, 85.6, 97.8)),
    "backmix f=0.5": ((), (91.7, 92.9, 90.6, 91.4, 84.9, 98.0)),
    "backmix f=0.2": ((), (91.2, 92.3, 90.1, 90.7, 84.4, 97.4)),
    "backmix f=0.1": ((), (90.4, 92.2, 89.5, 90.2, 84.2, 97.0)),
    "backmix f=0.05": ((), (90.8, 92.0, 89.5, 90.2, 83.0, 97.4)),
    "backmix f=0.01": ((), (90.3, 91.7, 89.2, 89.6, 81.4, 96.4)),
    "wbackmix f=0.05 lam=1": ((), (91.4, 92.4, 90.5, 91.1, 83.3, 97.2)),
    "wbackmix f=0.05 lam=2": ((), (91.3, 92.5, 90.2, 90.9, 83.7, 97.5)),
}
PRINTED_SPREAD = {"accuracy": 0.55, "f1": 0.55, "energy": 1.01, "focus": 0.70}
TITLES = {"blur": "Bokeh (blur, as printed)", "dim": "Bokeh (dimming, as coded)"}
TABLE1 = ("baseline", "black", "noise", "shuffle", "blur", "dim", "cutmix", "sma", "backmix f=1")
BY_FRACTION = tuple(f"backmix f={f:g}" for f in (1, 0.5, 0.2, 0.1, 0.05, 0.01))
BACKMIX_WITH = ("masks=", "iou=", "jitter=")
FEW = ("wbackmix f=0.05 lam=1", "wbackmix f=0.05 lam=2")


def report(folder: Path) -> str:
    """Everything that the JSONs in a folder allow."""
    groups = read(folder)
    if not groups:
        return f"no run has ended in {folder} yet"
    parts = [described(groups)]
    here = [name for name in TABLE1 if name in groups]
    if len(here) > 1:
        parts += ["## Table 1", rows(groups, here), ranks(groups, here)]
        parts += [
            differences(groups, [("backmix f=1", name) for name in here if name != "backmix f=1"], here)
        ]
    here = [name for name in ("baseline", *BY_FRACTION, *FEW) if name in groups]
    if len(here) > 2:
        parts += ["## Table 2", rows(groups, here, ("o.o.d.",), SHOWN_IN_TABLE2), monotone(groups)]
        parts += [differences(groups, [(name, "baseline") for name in here[1:]], here)]
        few = [(name, other) for name in FEW for other in ("backmix f=0.2", "backmix f=0.05")]
        parts += [differences(groups, few, ("backmix f=0.2", "backmix f=0.05", *FEW))]
    samples = [name for name in groups if name.startswith("backmix f=0.05 sample=")]
    if samples and "backmix f=0.05" in groups:
        parts += ["## Samples of 5% that do not overlap", spread(groups, samples)]
    rest = [name for name in groups if name not in (*TABLE1, *BY_FRACTION, *FEW, *samples)]
    if rest:
        beside = [name for name in ("baseline", "backmix f=1") if name in groups]
        parts += ["## Other runs", rows(groups, [*beside, *rest])]
        parts += [differences(groups, [(name, based_on(name)) for name in rest], [*beside, *rest])]
    parts += ["## Cost", cost(groups)]
    return "\n\n".join(part for part in parts if part)


def based_on(name: str) -> str:
    """The row that another one changes."""
    method, *changes = name.split()
    networks = [part for part in changes if part.startswith("network=")]
    if method == "baseline" or (
        method in ("backmix", "wbackmix") and not changes[-1].startswith(BACKMIX_WITH)
    ):
        return "baseline" if method == "baseline" else " ".join(["baseline", *networks])
    return "backmix f=1"


def printed(name: str, test: str) -> dict[str, float]:
    """What the paper prints for a row, by our names."""
    numbers = _PRINTED.get(name, ((), ()))[test == "o.o.d."]
    return dict(zip(SHOWN_IN_TABLE2 if len(numbers) == 6 else SHOWN, numbers, strict=False))


def read(folder: Path) -> Groups:
    """Results by name, in the order of their seeds."""
    groups: Groups = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text())
        groups[result["name"]].append(result)
    return dict(groups)


def values(results: Iterable[Result], test: str, key: str) -> list[float]:
    return [result["tests"][test][key] for result in results if test in result["tests"]]


def described(groups: Groups) -> str:
    settings = {json.dumps(r["setting"], sort_keys=True) for each in groups.values() for r in each}
    data = {r["data"] for each in groups.values() for r in each}
    if len(settings) > 1 or len(data) > 1:
        raise SystemExit(
            f"the runs were made with {len(settings)} settings on {len(data)} data sets; expected one: keep "
            "each in its own --out."
        )
    setting = json.loads(settings.pop())
    paper = setting["size"] == 112 and setting["epochs"] == 100 and setting["width"] == 64
    one = next(iter(groups.values()))[0]
    test = next(iter(one["tests"].values()))
    size = "The paper's size" if paper else "A small setting, not the paper's"
    return (
        f"{size}: {setting['size']}x{setting['size']} pixels, {setting['epochs']} epochs, ResNet18 of width "
        f"{setting['width']} with the {setting['stem']} stem, {setting['precision']}; data {data.pop()}. "
        "Percent, mean ± standard deviation over the seeds; in brackets what the paper prints, for its own "
        f"data. %E and %F: GradCAM of the predicted class at {setting['layer']}, a {test['grid']} grid, dead "
        "maps left out and counted; a uniform map scores the coverage."
    )


def rows(
    groups: Groups,
    names: Iterable[str],
    tests: Iterable[str] = ("i.d.", "o.o.d."),
    shown: dict[str, str] = SHOWN,
) -> str:
    """A markdown table of these rows."""
    tests = [t for t in tests if any(t in r["tests"] for each in groups.values() for r in each)]
    head = ["method", "seeds", *(f"{test} {word}" for test in tests for word in shown.values())]
    head += [f"{test} {word}" for test in tests for word in ("coverage", "dead maps")]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in names:
        cells = [TITLES.get(name, name), str(len(groups[name]))]
        for test in tests:
            paper = printed(name, test)
            for key in shown:
                beside = f" [{paper[key]:.1f}]" if key in paper else ""
                cells.append(f"{mean_and_spread(values(groups[name], test, key))}{beside}")
        for test in tests:
            cells.append(f"{statistics.mean(values(groups[name], test, 'coverage')):.1f}")
            cells.append(f"{sum(values(groups[name], test, 'n_empty')):.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_and_spread(numbers: list[float]) -> str:
    if not numbers:
        return "-"
    deviation = f" ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else ""
    return f"{statistics.mean(numbers):.1f}{deviation}"


# -- what the intervals let one say -------------------------------------------------------------------


def differences(groups: Groups, pairs: Iterable[tuple[str, str]], among: Iterable[str]) -> str:
    """O.o.d. differences of means; an order is claimed (*) only where Holm's correction leaves one."""
    names = [name for name in dict.fromkeys(among) if name in groups and len(groups[name]) > 1]
    names = [name for name in names if len(values(groups[name], "o.o.d.", "accuracy")) > 1]
    pairs = [pair for pair in pairs if set(pair) <= set(names)]
    if not pairs:
        return ""
    lines = [f"| o.o.d., mean of the seeds | {' | '.join(SHOWN.values())} |", "|---" * (1 + len(SHOWN)) + "|"]
    n_pairs = len(names) * (len(names) - 1) // 2
    for a, b in pairs:
        cells = []
        for key in SHOWN:
            found = sa.compare_runs({name: values(groups[name], "o.o.d.", key) for name in names})
            pair = (a, b) if (a, b) in found.p_value else (b, a)
            star = "\\*" if found.significant[pair] else ""
            cells.append(f"{found.mean[a] - found.mean[b]:+.1f}{star} (p {found.p_value[pair]:.2g})")
        lines.append(f"| {TITLES.get(a, a)} minus {TITLES.get(b, b)} | {' | '.join(cells)} |")
    lines += [
        "",
        f"\\* told apart after Holm's correction over {n_pairs} pairs of rows; no other order is claimed.",
    ]
    return "\n".join(lines)


def ranks(groups: Groups, names: list[str]) -> str:
    """Where BackMix stands by its mean o.o.d., and what it gains over the baseline."""
    names = [name for name in names if values(groups[name], "o.o.d.", "accuracy")]
    if not {"baseline", "backmix f=1"} <= set(names):
        return ""
    lines = []
    for key, shown in SHOWN.items():
        mean = {name: statistics.mean(values(groups[name], "o.o.d.", key)) for name in names}
        order = sorted(names, key=lambda name: -mean[name])
        gain = mean["backmix f=1"] - mean["baseline"]
        paper = printed("backmix f=1", "o.o.d.")[key] - printed("baseline", "o.o.d.")[key]
        lines.append(
            f"- {shown} o.o.d.: BackMix is number {order.index('backmix f=1') + 1} of {len(order)} by its "
            f"mean (first: {TITLES.get(order[0], order[0])}), {gain:+.1f} [{paper:+.1f}] over the baseline."
        )
    return "\n".join(lines)


def monotone(groups: Groups) -> str:
    """Whether the means fall with f, and Page's test of that trend, each seed a block."""
    here = [n for n in BY_FRACTION if n in groups and values(groups[n], "o.o.d.", "accuracy")]
    lines = []
    for key, shown in SHOWN.items():
        scores = [values(groups[name], "o.o.d.", key) for name in here]
        means = [statistics.mean(each) for each in scores]
        falls = "fall" if all(a >= b for a, b in pairwise(means)) else "do not always fall"
        steps = ", ".join(f"{mean:.1f}" for mean in means)
        line = f"- {shown}: the means {falls} with f ({steps})"
        if len(here) > 2 and len({len(each) for each in scores}) == 1 and len(scores[0]) > 1:
            trend = page_trend_test(list(zip(*scores[::-1], strict=True)))
            line += f"; Page's test of a trend: p {trend.pvalue:.2g}"
        lines.append(f"{line}.")
    return "\n".join(lines)


def spread(groups: Groups, samples: list[str]) -> str:
    seed = groups[samples[0]][0]["run"]["seed"]
    first = [r for r in groups["backmix f=0.05"] if r["run"]["seed"] == seed]
    same = [*first, *(r for name in samples for r in groups[name])]
    cells = []
    for key, shown in SHOWN.items():
        scores = values(same, "o.o.d.", key)
        cells.append(f"{shown} {mean_and_spread(scores)} [± {PRINTED_SPREAD[key]}]")
    return f"{len(same)} samples, one seed, o.o.d. [printed]: {'; '.join(cells)}."


def cost(groups: Groups) -> str:
    """Rows by their number of parameters: those of the baseline's cost nothing more at inference."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for name, results in groups.items():
        by_size[results[0]["parameters"]].append(name)
    lines = []
    for size, names in sorted(by_size.items()):
        ratio = statistics.median(r["forward_ratio"] for name in names for r in groups[name])
        rows = ", ".join(sorted(names))
        lines.append(f"- {size:,} parameters, {ratio:.2f} times the plain network's forward time: {rows}.")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(Path(sys.argv[1])))
