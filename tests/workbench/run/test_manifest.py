"""Lines of manifest and journal that are damaged are named, and not taken for what they are not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sectoraug.workbench.review.journal import Journal
from sectoraug.workbench.run.manifest import read_entries
from sectoraug.workbench.run.out_folder import only_writer
from sectoraug.workbench.run.sources import find_sources

ENTRY = {
    "source": "a.npy",
    "visit": "0123",
    "sha256": "ab",
    "size": [48, 64],
    "frames": 5,
    "file": "masks/ab.png",
    "quality": 0.9,
    "part": [1, 2],
    "spans": [[0, 2]],
}
DECISION = {"clip": "ab", "mask": "cd", "verdict": "in", "how": "hand", "session": "a", "time": 1.5}
WRONG: list[dict[str, Any]] = [
    {"source": 3},
    {"visit": None},
    {"size": [48]},
    {"size": "48 x 64"},
    {"size": [0, 64]},
    {"frames": "5"},
    {"frames": -5},
    {"quality": "0.9"},
    {"part": [3, 2]},
    {"part": 1},
    {"spans": [[0]]},
    {"spans": 4},
    {"geometry": []},
    {"drawn": "no"},
    {"file": "../../elsewhere.png"},
    {"file": "/elsewhere.png"},
]
DEEP = "[" * 100_000 + "]" * 100_000


def test_a_whole_line_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text(json.dumps(ENTRY) + "\n")
    assert read_entries(tmp_path)[0].covered == [0, 1, 2]


@pytest.mark.parametrize(
    "line", [json.dumps(ENTRY | each) for each in WRONG] + [DEEP], ids=range(len(WRONG) + 1)
)
def test_a_damaged_entry_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text(f"{json.dumps(ENTRY)}\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2 of .* is no entry"):
        read_entries(tmp_path)


def test_an_entry_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(json.dumps(ENTRY).encode() + b'\n{"\x80": 1}\n')
    with pytest.raises(ValueError, match=r"line 2 of .* is no entry"):
        read_entries(tmp_path)


@pytest.mark.parametrize(
    "line", [json.dumps(DECISION | each) for each in ({"clip": []}, {"mask": 3}, {"verdict": "no"})] + [DEEP]
)
def test_a_damaged_decision_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "review.jsonl").write_text(f"{json.dumps(DECISION)}\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2 of .* is no decision"):
        Journal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.timeout(20)
def test_a_fifo_given_as_a_clip_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="is a FIFO, socket or device"):
        find_sources([tmp_path / "a.npy"])
    assert find_sources([tmp_path]) == ([], 1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.timeout(20)
def test_a_fifo_beside_the_stills_of_a_clip_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    os.mkfifo(tmp_path / "2.png")
    sources, others = find_sources([tmp_path], folders_are_clips=True)
    assert [source.path for source in sources] == [str(tmp_path)]
    assert others == 1


def test_a_link_in_a_circle_is_no_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    assert find_sources([tmp_path], [tmp_path / "out"])[0] == []
    with pytest.raises(NotADirectoryError, match="choose another --out"), only_writer(tmp_path / "out"):
        pass
