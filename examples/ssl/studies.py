"""What all studies do: score every run once, and keep scores and report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clips import write_whole
from pretrain import Run
from report import Results
from tqdm import tqdm


def scores_of(
    runs: list[Run], folder: Path, evaluate: Callable[[Run], dict[str, Any]], ending: str = ""
) -> Results:
    """Scores of runs, seed after seed; those that the folder holds are read."""
    results: Results = {}
    for run in tqdm(sorted(runs, key=lambda run: run.seed), desc="runs"):
        path = folder / f"{run.name}{ending}.json"
        if not path.exists():
            text = json.dumps(evaluate(run), indent=1)
            write_whole(path, lambda file, text=text: file.write(text.encode()))
        results.setdefault(run.method, {}).setdefault(run.views, []).append(json.loads(path.read_text()))
    return results


def write_results(out: Path, name: str, results: Any, report: str) -> None:
    """Write NAME.json and NAME.md, and print the report."""
    text = json.dumps(results, indent=1)
    write_whole(out / f"{name}.json", lambda file: file.write(text.encode()))
    write_whole(out / f"{name}.md", lambda file: file.write(report.encode()))
    print(report)
