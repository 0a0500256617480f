"""Every script of the gallery runs, draws its panels and finds what its page says."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples"
PANELS_AND_FACTS = {
    "batch": (
        18,
        [r"alone: +\[True, True, False, True, False, True\]", r"container: +\[True, True, False, "],
    ),
    "focus": (12, [r"without: accuracy [1-4]\d%, %E [1-3]?\d,", r"BackMix: accuracy [5-9]\d%, %E [5-9]\d,"]),
    "geometry": (
        2,
        [r"phased, quality 0\.[67]\d: -4[23]\.\d to 4[23]\.\d degrees", r"there and back: [01]\.\d\d"],
    ),
    "landmarks": (2, [r"^5: row \d+, column \d+, moves [1-9]"]),
    "phantom": (5, ["the same inside the sectors: True", "shortcut=1: 100% of"]),
    "polar": (3, [r"\(8, 224, 224\) -> \(8, 1\d\d, 2\d\d\) -> ", r"inside: [1-4]\.\d grey levels"]),
    "rivals": (
        8,
        [r"BackMix: correlation -?0\.(0\d|10), .* sector 0$", r"bokeh\): correlation 1\.00, .* sector 0$"],
    ),
    "weights": (2, [r"use lam <= 2 with fraction=0\.5", r"batches of 1024: mean weight (1\.00|0\.99)"]),
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    plt.close("all")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", PANELS_AND_FACTS)
def test_script(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"plot_{name}.py"), run_name="__main__")
    panels, facts = PANELS_AND_FACTS[name]
    assert sum(len(plt.figure(number).axes) for number in plt.get_fignums()) == panels
    said = capsys.readouterr().out
    for fact in facts:
        assert re.search(fact, said, re.MULTILINE), said
    assert not list(tmp_path.iterdir())


def test_every_page_has_a_title_and_is_tested() -> None:
    scripts = {path.stem.removeprefix("plot_"): path for path in EXAMPLES.glob("plot_*.py")}
    assert set(scripts) - {"backmix", "sectors"} == set(PANELS_AND_FACTS)  # those two: test_examples.py
    for path in scripts.values():
        assert re.match(r'"""[^\n]{5,60}\n=+\n\n', path.read_text()), path
