"""The page in a browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from review_masks import N, sectoraug, serving

from sectoraug.workbench.review.sorting import Review
from sectoraug.workbench.review.tiles import masks_in


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


class Page:
    """A tab, and what its user sees."""

    def __init__(self, context: Any, address: str) -> None:
        self.tab = context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(address)
        self.wait_for_pictures()

    def wait_for_pictures(self) -> None:
        self.tab.locator("#sheet[aria-busy=false]").wait_for()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)
            self.wait_for_pictures()

    def click(self, place: int, **how: Any) -> None:
        self.tab.locator(".tile").nth(place).click(**how)

    def marks(self) -> str:
        """A letter a tile: i, o decided; I, O only by default; ? no picture."""
        return str(
            self.tab.evaluate(
                """[...document.querySelectorAll('.tile:not([hidden])')].map((tile) => {
                    const letter = (tile.dataset.goes || '?')[0];
                    return 'decided' in tile.dataset ? letter : letter.toUpperCase();
                }).join('')"""
            )
        )

    def here(self) -> int:
        return int(self.tab.locator(".tile.here").get_attribute("data-index"))

    def text(self, name: str) -> str:
        return str(self.tab.locator(f"#{name}").inner_text())


def eventually(look: Callable[[], Any], expected: Any) -> None:
    """Decisions show at once and are written right after."""
    end = time.monotonic() + 10
    while look() != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert look() == expected


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    with_size = browser.new_context(viewport={"width": 1440, "height": 900})
    yield with_size
    with_size.close()


def test_keys_and_mouse_decide_what_they_show(masks: Path, context: Any) -> None:
    def written() -> str:
        return Review(masks).verdicts()

    with serving(masks) as running:
        page = Page(context, running.address)
        assert "token" not in page.tab.url
        assert (page.marks(), page.here()) == ("I" * 48, 0)
        page.press("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "Space")
        assert page.here() == 9
        page.click(20)
        page.click(30)
        page.click(30)
        assert page.here() == 30
        expected = "I" * 9 + "o" + "I" * 10 + "o" + "I" * 9 + "i" + "I" * 17
        assert page.marks() == expected
        eventually(written, expected.replace("I", "-") + "-" * (N - 48))

        page.press("u", "u", "u")  # the second click on 30, the first, and 20
        assert (page.marks(), page.here()) == ("I" * 9 + "o" + "I" * 38, 20)
        page.press("PageDown")
        first = "i" * 9 + "o" + "i" * 38
        assert (page.marks(), page.here(), page.text("page")) == ("I" * 48, 48, "Page 2 of 3")
        eventually(written, first + "-" * (N - 48))

        page.press("Space", "PageUp")  # going back decides nothing
        assert page.marks() == first
        page.press("PageDown")
        assert page.marks() == "o" + "I" * 47
        page.press("n", "u")  # turned, and taken back
        assert (page.marks(), page.here()) == ("o" + "I" * 47, 48)
        eventually(written, first + "o" + "-" * (N - 49))

        page.tab.reload()
        page.wait_for_pictures()
        assert (page.marks(), page.here()) == ("o" + "I" * 47, 49)  # at the first that is open
        page.press("u")  # what was done before the reload
        assert page.marks() == "I" * 48

        page.tab.locator("#default label").nth(1).click()
        assert page.marks() == "O" * 48
        page.press("ArrowRight", "Space")
        assert page.here() == 49
        page.press("PageDown")
        assert page.marks() == "O" * (N - 96)
        second = "oi" + "o" * 46
        eventually(written, first + second + "-" * (N - 96))

        page.press("Enter")  # on the whole screen
        assert page.tab.locator("#look").get_attribute("open") is not None
        page.press("ArrowRight", "Space")
        page.tab.locator("#look-about:has-text('clip0097.npy')").wait_for()
        page.press("Escape")
        assert page.tab.locator("#look").get_attribute("open") is None
        assert page.here() == 97
        page.press("PageDown")
        everything = first + second + "oi" + "o" * (N - 98)
        eventually(written, everything)
        assert "All sorted" in page.text("message")
        assert page.text("done") == f"{N} of {N} sorted"
        assert not page.errors
        assert all(url.startswith(f"http://127.0.0.1:{running.port}/") for url in page.asked)
        running.stop()
    names = [mask.entry.source for mask in masks_in(masks)[0]]
    kept = sorted(name for name, letter in zip(names, everything, strict=True) if letter == "i")
    assert sectoraug("review", masks, "--list", "in").stdout.splitlines() == kept
    assert Review(masks).default == "out"  # as it was the last time


def test_a_killed_server_loses_nothing_and_the_next_goes_on(masks: Path, browser: Any) -> None:
    with serving(masks) as running:
        tab = Page(browser.new_context(viewport={"width": 1440, "height": 900}), running.address)
        tab.click(3)
        tab.press("PageDown")
        tab.click(1)
        eventually(lambda: Review(masks).verdicts()[48:50], "-o")
        running.process.kill()
        tab.click(5)
        tab.tab.locator("#message").wait_for()
        assert "Start it again" in tab.text("message")
        tab.press("PageDown")
        assert tab.here() == 53  # no page turns any more
    expected = "iiio" + "i" * 44 + "-o" + "-" * (N - 50)
    assert Review(masks).verdicts() == expected
    with serving(masks) as running:
        tab = Page(browser.new_context(viewport={"width": 1440, "height": 900}), running.address)
        assert (tab.here(), tab.marks()) == (48, "Io" + "I" * 46)


def test_two_tabs_see_each_other(masks: Path, context: Any) -> None:
    with serving(masks) as running:
        one, two = Page(context, running.address), Page(context, running.address)
        one.click(7)
        eventually(lambda: Review(masks).verdicts()[7], "o")
        two.press("PageDown")  # it still shows 7 as going in
        eventually(lambda: Review(masks).verdicts()[:48], "i" * 7 + "o" + "i" * 40)
        two.press("u")
        eventually(lambda: Review(masks).verdicts()[:48], "-" * 7 + "o" + "-" * 40)
        two.tab.evaluate("refresh()")
        eventually(two.marks, "I" * 7 + "o" + "I" * 40)
        assert not one.errors + two.errors


def test_a_key_held_down_turns_one_page(masks: Path, context: Any) -> None:
    with serving(masks) as running:
        page = Page(context, running.address)
        for _ in range(5):
            page.tab.keyboard.down("PageDown")
        page.wait_for_pictures()
        assert page.here() == 48


def test_a_button_that_was_clicked_is_not_pressed_by_space(masks: Path, context: Any) -> None:
    with serving(masks) as running:
        page = Page(context, running.address)
        page.tab.locator("#next").click()
        page.wait_for_pictures()
        page.press("Space")
        assert (page.here(), page.marks()) == (48, "o" + "I" * 47)


def test_gone_clips_are_shown_as_gone(masks: Path, context: Any) -> None:
    for k in (0, 2):
        (masks / "clips" / f"clip{k:04d}.npy").unlink()
    with serving(masks) as running:
        page = Page(context, running.address)
        assert page.marks() == "?I?" + "I" * 45
        assert "The clip is gone." in page.tab.locator(".tile").nth(0).inner_text()
        assert page.text("unseen") == "2 without a picture"
        page.press("PageDown")
        eventually(lambda: Review(masks).verdicts()[:4], "xixi")
        assert not page.errors


@pytest.mark.parametrize("width", [320, 800, 1440])
def test_nothing_is_cut_off_at_any_width(masks: Path, browser: Any, width: int) -> None:
    tight = browser.new_context(viewport={"width": width, "height": 780})
    with serving(masks) as running:
        page = Page(tight, running.address)
        assert page.tab.evaluate("document.documentElement.scrollWidth") == width
        assert page.tab.evaluate("document.documentElement.scrollHeight") <= 780
        boxes = [page.tab.locator(name).bounding_box() for name in ("#next", "#undo", ".tile >> nth=-1")]
        assert all(b and b["x"] >= 0 and b["x"] + b["width"] <= width and b["height"] > 20 for b in boxes)
    tight.close()
