"""Fill the tables of docs/benchmarks.md from results/*.json: median [quartiles] of each contestant.

    python benchmarks/fill_docs.py

A table stands between `<!-- FILE.json: COLUMN; COLUMN -->` and `<!-- end -->`; columns are keys of the
file's results. Between `<!-- *.json: machine -->` and `<!-- end -->` stands where each file was made.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
TABLE = re.compile(r"(<!-- ([\w*]+\.json): (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with every table as the results have it."""

    def written(found: re.Match[str]) -> str:
        columns = found[3].split("; ")
        paths = sorted((HERE / "results").glob(found[2]))
        rows = machines(paths) if columns == ["machine"] else ratios(*paths, columns)
        return "\n".join((found[1], *rows, "", found[4]))

    return TABLE.sub(written, page)


def ratios(path: Path, columns: list[str]) -> list[str]:
    results = [json.loads(path.read_text())["results"][column] for column in columns]
    names = dict.fromkeys(name for result in results for name in result)
    return [
        *head("median [quartiles]", columns),
        *(row(name, [cell(result.get(name)) for result in results]) for name in names),
    ]


def machines(paths: list[Path]) -> list[str]:
    results = [json.loads(path.read_text()) for path in paths]
    found = [{"commit": result["commit"], **result["machine"]} for result in results]
    names = dict.fromkeys(name for machine in found for name in machine)
    return [
        *head("made with", [path.name for path in paths]),
        *(row(name, [str(machine.get(name, "")) for machine in found]) for name in names),
    ]


def head(name: str, columns: list[str]) -> list[str]:
    return [row(name, columns), row("---", ["---"] * len(columns))]


def row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def cell(value: dict[str, float] | None) -> str:
    if value is None:
        return ""
    return "{} [{}, {}]".format(*(f"{value[key]:.3g}" for key in ("median", "q1", "q3")))


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
    print("filled in", PAGE)
