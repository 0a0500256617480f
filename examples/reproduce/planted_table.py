"""The tables of planted shortcuts: methods on each test, and which differences are more than chance."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
from grids import TABLES
from natural import Natural
from planted import Planted
from tables import TITLES, Groups, mean_and_spread, read, values

import sectoraug as sa

BACKMIX = "backmix f=1"


def report_planted(folder: Path, data: Planted | Natural) -> str:
    """Everything that the JSONs in a folder allow."""
    groups = in_order(whole_seeds(read(folder)))
    if not groups:
        return f"no run has ended in {folder} yet"
    seeds = [result["run"]["seed"] for result in next(iter(groups.values()))]
    setting = next(iter(groups.values()))[0]["setting"]
    names = list(groups)
    parts = [
        f"{data.about}; {len(data.splits['content'].labels)} images of "
        f"{', '.join(data.classes)}; {setting['size']}x{setting['size']} pixels, {setting['epochs']} epochs, "
        f"ResNet18 of width {setting['width']}; seeds {', '.join(map(str, seeds))}.",
        rows(groups, data),
    ]
    if len(seeds) > 1:
        rivals = [name for name in names if name != BACKMIX]
        pairs = [(BACKMIX, name) for name in rivals] if BACKMIX in names else []
        pairs += [(name, "baseline") for name in rivals if name != "baseline" and "baseline" in names]
        parts.append(differences(groups, pairs, data))
    return "\n\n".join(parts)


def in_order(groups: Groups) -> Groups:
    """The methods as the grids name them, others last."""
    known = [run.name for run in (*TABLES["planted"], *TABLES["rivals"])]
    return {name: groups[name] for name in sorted(groups, key=lambda n: (*known, n).index(n))}


def whole_seeds(groups: Groups) -> Groups:
    """The runs of those seeds that every method has, in their order."""
    by_seed = {name: {r["run"]["seed"]: r for r in results} for name, results in groups.items()}
    common = sorted(set.intersection(*map(set, by_seed.values()))) if by_seed else []
    return {name: [results[seed] for seed in common] for name, results in by_seed.items()} if common else {}


def rows(groups: Groups, data: Planted | Natural) -> str:
    asked = next(iter(data.judged.values()))[0]
    flip = asked == "neutral"
    head = ["method", *(f"{test} balanced accuracy" for test in data.shown), *["flips"] * flip, "%E", "%F"]
    lines = [f"| {' | '.join(head)} | dead maps |", "|---" * (1 + len(head)) + "|"]
    for name, results in groups.items():
        cells = [TITLES.get(name, name)]
        cells += [mean_and_spread(values(results, test, "recall")) for test in data.shown]
        if flip:
            cells.append(mean_and_spread([flips(result["answers"]) for result in results]))
        cells += [mean_and_spread(values(results, asked, key)) for key in ("energy", "focus")]
        cells.append(f"{sum(values(results, asked, 'n_empty')):.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    coverage = statistics.mean(values(next(iter(groups.values())), asked, "coverage"))
    told = "Flips: answers that change from one neutral draw of backgrounds to another. " if flip else ""
    return "\n".join(lines) + (
        f"\n\nPercent, mean ± standard deviation over the seeds. {told}%E and %F on the {asked} test; a "
        f"uniform map scores {coverage:.1f}."
    )


def flips(answers: dict[str, list[int]]) -> float:
    """Percent of the test images whose answer depends on which neutral background was drawn."""
    first, second = (np.array(answers[test]) for test in ("neutral", "neutral, other donors"))
    return 100 * float((first != second).mean())


def differences(groups: Groups, pairs: list[tuple[str, str]], data: Planted | Natural) -> str:
    """Paired over the seeds, * where Holm's correction leaves one; in brackets an interval over patients."""
    found = {
        title: sa.compare_runs({n: values(r, *where) for n, r in groups.items()}, paired=True)
        for title, where in data.judged.items()
    }
    lines = [f"| difference | {' | '.join(data.judged)} |", "|---" * (1 + len(data.judged)) + "|"]
    for a, b in pairs:
        cells = []
        for title, result in found.items():
            pair = (a, b) if (a, b) in result.p_value else (b, a)
            star = "\\*" if result.significant[pair] else ""
            cell = f"{result.mean[a] - result.mean[b]:+.1f}{star} (p {result.p_value[pair]:.2g})"
            if title in data.shown:
                low, high = over_patients(groups, a, b, title, data)
                cell += f" [{low:+.1f} to {high:+.1f}]"
            cells.append(cell)
        lines.append(f"| {TITLES.get(a, a)} minus {TITLES.get(b, b)} | {' | '.join(cells)} |")
    n_pairs = len(groups) * (len(groups) - 1) // 2
    return "\n".join(lines) + (
        f"\n\np: paired t-test over the seeds; \\* told apart after Holm's correction over {n_pairs} pairs "
        "of methods, for each column on its own. In brackets: 95% interval of the difference in accuracy by "
        "a bootstrap over patients, each image's answers averaged over its seeds."
    )


def over_patients(groups: Groups, a: str, b: str, test: str, data: Planted | Natural) -> tuple[float, float]:
    content = data.splits["content"]
    gain, times = np.zeros((2, len(content.labels)))
    for one, other in zip(groups[a], groups[b], strict=True):
        tested = data.tested(one["run"]["seed"], test)
        right = [np.array(r["answers"][test]) == content.labels[tested] for r in (one, other)]
        gain[tested] += right[0].astype(float) - right[1]
        times[tested] += 1
    seen = times > 0
    found = sa.clustered_bootstrap(100 * gain[seen] / times[seen], content.patients[seen])
    return found.low, found.high
