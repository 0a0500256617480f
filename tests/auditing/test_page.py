"""The page: whole, inert, without pixels unless asked, and readable in a browser of any width."""

from __future__ import annotations

import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sectoraug as sa
from sectoraug.auditing.page import outline_path

HOSTILE = "<script>alert(1)</script>\"'&.png"


@pytest.fixture(scope="module")
def report() -> sa.AuditReport:
    data = sa.phantom.make_dataset(80, 0.95, size=(64, 64))
    images = np.concatenate([data.images, data.images[:2]])
    names = [HOSTILE if i in (0, 80) else f"{i}.png" for i in range(82)]
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(64, 4))
    return sa.audit(
        images,
        np.concatenate([data.sectors, data.sectors[:2]]),
        [f"<b>view {label}" for label in (*data.labels, *data.labels[:2])],
        [*(f"p{p}" for p in data.patients), HOSTILE, HOSTILE],
        model,
        attributes={HOSTILE: np.arange(82) % 3},
        names=names,
        n_images=20,
        progress=False,
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text())
    return tags


def test_hostile_names_are_text(report: sa.AuditReport, tmp_path: Path) -> None:
    report.to_html(tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    assert not {tag for tag, _ in page.seen} & {"script", "b", "iframe", "link", "img"}
    assert HOSTILE in page.text and "<b>view 3" in page.text
    assert not any(key.startswith("on") or key in ("src", "href") for _, attrs in page.seen for key in attrs)
    policy = next(attrs for _, attrs in page.seen if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'")


def test_words_come_first_and_all_numbers_are_there(report: sa.AuditReport, tmp_path: Path) -> None:
    report.to_html(tmp_path / "report.html")
    text = read(tmp_path / "report.html").text
    order = ("The background alone tells", "What to do next", "Backgrounds sorted by")
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "Nearly the same image in different groups: 2" in text and "0 of 100" not in text


def test_thumbnails_only_if_given(report: sa.AuditReport, tmp_path: Path) -> None:
    shown = int(report.styles.examples[0, 0])
    report.to_html(tmp_path / "report.html", {shown: b"\x89PNG", 10_000: b"unused"})
    images = [attrs["src"] for tag, attrs in read(tmp_path / "report.html").seen if tag == "img"]
    assert images == ["data:image/png;base64,iVBORw=="]


def test_it_is_written_whole_and_for_its_owner_only(report: sa.AuditReport, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    report.to_html(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_text().endswith("</html>")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(FileNotFoundError):
        report.to_html(tmp_path / "none" / "report.html")


def test_the_outline_goes_around_every_part() -> None:
    inside = np.zeros((4, 4), bool)
    inside[1:3, 0] = inside[0, 3] = True
    steps = set(outline_path(inside).split("M")[1:])
    assert steps == {
        *("0 1h1", "0 3h1", "0 1v1", "0 2v1", "1 1v1", "1 2v1"),
        *("3 0h1", "3 1h1", "3 0v1", "4 0v1"),
    }
