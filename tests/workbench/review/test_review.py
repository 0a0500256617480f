"""The sorting page: nothing decided is lost, nobody else gets in, and keys and mouse do what they say."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa

pytest.importorskip("typer")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from sectoraug.workbench.jobs.masks import kept_sector
from sectoraug.workbench.review.ahead import Sprites
from sectoraug.workbench.review.journal import NAME, Change, Journal, decisions, listing
from sectoraug.workbench.review.sorting import Review
from sectoraug.workbench.review.tiles import masks_in, tile_of
from sectoraug.workbench.run.manifest import NAME as MANIFEST
from sectoraug.workbench.run.sources import sha256_of, visit_of

N = 110  # three pages, the last not full


def make_masks(folder: Path, n: int) -> Path:
    """What a `masks` run over `n` phantom clips leaves, with their true sectors and qualities in (0, 1)."""
    folder.mkdir(mode=0o700)
    (folder / "clips").mkdir()
    made = [sa.phantom.make_clip(frames=3, size=(60, 80), seed=seed) for seed in range(6)]
    lines = []
    for k in range(n):
        clip = made[k % len(made)]
        path = folder / "clips" / f"clip{k:04d}.npy"
        np.save(path, np.roll(clip.frames, k // len(made), 0) + np.uint8(k // 18))
        sha256 = sha256_of(path)
        mask = folder / f"{sha256}.png"
        mask.write_bytes(cv2.imencode(".png", clip.sector * np.uint8(255))[1].tobytes())
        entry = {
            "source": path.name,
            "visit": visit_of(path),
            "sha256": sha256,
            "size": [60, 80],
            "frames": 3,
            "file": mask.name,
            "quality": round((k + 1) / (n + 1), 4),
            "path": str(path),
        }
        lines.append(json.dumps(entry) + "\n")
    (folder / MANIFEST).write_text("".join(reversed(lines)))
    return folder


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    return make_masks(tmp_path / "masks", N)


def change(k: int, verdict: str | None, *only_from: str | None) -> Change:
    return Change(f"clip{k}", "mask", verdict, only_from or (None, "in", "out"))


def verdicts(journal: Journal) -> dict[str, str | None]:
    journal.refresh()
    return {clip: decision.verdict for clip, decision in journal.latest.items()}


def test_clips_without_a_mask_are_counted(masks: Path) -> None:
    assert Review(masks).without_mask == 0
    with open(masks / MANIFEST, "a") as file:
        for name, sha256 in (("a", "1"), ("moved/a", "1"), ("unreadable", None)):
            file.write(json.dumps({"source": name, "visit": name, "sha256": sha256, "error": "No."}) + "\n")
    assert Review(masks).without_mask == 2
    assert len(Review(masks).masks) == N
    with serving(masks) as running:
        assert json.loads(running.ask("/state")[1])["withoutMask"] == 2


# The journal


def test_the_last_line_counts_and_nothing_is_written_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([change(1, "in"), change(2, "out")], "hand", "a")
    journal.append([change(1, "in")], "hand", "a")
    journal.append([change(2, "in"), change(1, None)], "hand", "b")
    assert verdicts(Journal(tmp_path)) == {"clip1": None, "clip2": "in"}
    lines = (tmp_path / NAME).read_text().splitlines()
    assert len(lines) == 4
    assert [json.loads(line)["session"] for line in lines] == ["a", "a", "b", "b"]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_two_sessions_keep_each_others_decisions(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    one.append([change(1, "out")], "hand", "one")
    two.append([change(k, "in", None) for k in range(3)], "page", "two")  # it has not seen the other's
    assert verdicts(one) == verdicts(two) == {"clip1": "out", "clip0": "in", "clip2": "in"}
    one.append([change(0, "out")], "hand", "one")
    two.append([change(k, None, "in") for k in range(3)], "undo", "two")
    assert verdicts(two) == {"clip1": "out", "clip0": "out", "clip2": None}


def test_a_torn_line_is_left_out_and_cut_off_at_every_byte(tmp_path: Path) -> None:
    Journal(tmp_path).append([change(1, "in"), change(2, "out")], "hand", "a")
    whole = (tmp_path / NAME).read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:cut])
        journal = Journal(tmp_path)
        assert verdicts(journal) == {"clip1": "in"}
        journal.append([change(3, "out")], "hand", "b")
        assert verdicts(Journal(tmp_path)) == verdicts(journal) == {"clip1": "in", "clip3": "out"}


def test_a_damaged_line_says_so(tmp_path: Path) -> None:
    Journal(tmp_path).append([change(1, "in")], "hand", "a")
    with open(tmp_path / NAME, "a") as file:
        file.write("no json\n")
    with pytest.raises(ValueError, match=r"line 2 of .* is no decision; expected .* remove that line"):
        Journal(tmp_path)


WRITER = """
import sys
from pathlib import Path
from sectoraug.workbench.review.journal import Change, Journal
journal = Journal(Path(sys.argv[1]))
for k in range(int(sys.argv[3])):
    journal.append([Change(f"{sys.argv[2]}{k}-{j}", "m", "in") for j in range(20)], "page", sys.argv[2])
    print(k, flush=True)
"""


def writer(folder: Path, name: str, n: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(folder), name, str(n)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_killed_while_writing_loses_nothing_that_was_written(tmp_path: Path) -> None:
    for attempt in range(3):
        process = writer(tmp_path, name := f"w{attempt}x", 10**6)
        assert process.stdout is not None
        for _ in range(5 + attempt):
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        said = max([said, *(int(line) for line in process.stdout if line.endswith("\n"))])
        process.wait()
        kept = verdicts(Journal(tmp_path))
        assert all(kept[f"{name}{k}-{j}"] == "in" for k in range(said + 1) for j in range(20))
        Journal(tmp_path).append([change(attempt, "out")], "hand", "after")
    assert {f"clip{k}" for k in range(3)} <= set(verdicts(Journal(tmp_path)))


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    processes = [writer(tmp_path, name, 25) for name in "ab"]
    for process in processes:
        process.communicate(timeout=60)
    assert len(verdicts(Journal(tmp_path))) == 2 * 25 * 20
    assert len((tmp_path / NAME).read_text().splitlines()) == 2 * 25 * 20


# What others read


def sort_some(masks: Path) -> tuple[str, str, str]:
    """The worst is out, the best is in, the next is undecided: their digests."""
    found, _ = masks_in(masks)
    worst, best, other = found[0], found[-1], found[1]
    Journal(masks).append(
        [Change(worst.clip, worst.digest, "out"), Change(best.clip, best.digest, "in")], "hand", "a"
    )
    return worst.clip, best.clip, other.clip


def test_decisions_and_lists(masks: Path) -> None:
    worst, best, _ = sort_some(masks)
    assert decisions(masks) == {worst: "out", best: "in"}
    assert listing(masks, "out") == ["clip0000.npy"]
    done = sectoraug("review", masks, "--list", "in")
    assert done.stdout.splitlines() == [f"clip{N - 1:04d}.npy"]
    assert "expected one of 'in', 'out'" in sectoraug("review", masks, "--list", "maybe", status=2).stderr


def test_a_mask_that_changed_has_to_be_looked_at_again(masks: Path) -> None:
    worst, best, _ = sort_some(masks)
    (masks / f"{best}.png").write_bytes(cv2.imencode(".png", np.eye(60, 80) * 255)[1].tobytes())
    assert decisions(masks) == {worst: "out"}
    assert Review(masks).verdicts().count("i") == 0


def test_copies_and_pools_take_what_was_sorted_in(masks: Path) -> None:
    worst, best, other = sort_some(masks)
    assert kept_sector(masks, best, "it", 1.0)[0].any()  # a person has the last word
    assert kept_sector(masks, other, "it", 0.0)[0].any()
    with pytest.raises(ValueError, match="it has a sector that was sorted out; expected one sorted in"):
        kept_sector(masks, worst, "it", 0.0)
    with pytest.raises(ValueError, match="nobody has sorted.*sectoraug review"):
        kept_sector(masks, other, "it", 0.0, reviewed_only=True)
    (masks / NAME).unlink()
    assert kept_sector(masks, worst, "it", 0.0)[0].any()


def test_commands_respect_decisions(masks: Path, tmp_path: Path) -> None:
    sort_some(masks)
    some = [masks / "clips" / f"clip{k:04d}.npy" for k in (0, 1, N - 1)]
    out = tmp_path / "pool"
    sectoraug("pool", masks, *some, "--out", out, "--size", 32, 32, "--reviewed-only")
    assert len(sa.BackgroundPool.open(out)) == 1
    sectoraug("apply", masks, *some, "--out", tmp_path / "a", "--quality-at-least", 0, status=1)
    assert len(list((tmp_path / "a" / "clips").rglob("*.npz"))) == 2


def test_what_is_sorted_in_later_is_copied_by_the_same_command(masks: Path, tmp_path: Path) -> None:
    sort_some(masks)
    some = [masks / "clips" / f"clip{k:04d}.npy" for k in (0, 1, N - 1)]
    command = ("apply", masks, *some, "--out", tmp_path / "a", "--reviewed-only")
    said = sectoraug(*command, status=1).stdout
    assert re.search(r"^refused +2$", said, re.MULTILINE) and re.search(r"^failed +0$", said, re.MULTILINE)
    assert "     1: has a sector that nobody has sorted; expected one sorted in" in said
    later = next(m for m in masks_in(masks)[0] if m.entry.source.endswith("clip0001.npy"))
    Journal(masks).append([Change(later.clip, later.digest, "in")], "hand", "b")
    said = sectoraug(*command, status=1).stdout
    assert re.search(r"^copies done +1$", said, re.MULTILINE) and re.search(
        r"^refused +1$", said, re.MULTILINE
    )
    assert len(list((tmp_path / "a" / "clips").rglob("*.npz"))) == 2


# Tiles


def test_tiles_show_the_clip_or_say_why_not(masks: Path, tmp_path: Path) -> None:
    found, _ = masks_in(masks)
    assert [mask.entry.quality for mask in found] == sorted(m.entry.quality or 0 for m in found)
    tile = tile_of(found[0])
    assert tile.frame is not None
    assert (tile.trouble, tile.frame.shape) == ("", (60, 80))
    drawn = cv2.fillPoly(np.zeros((60, 80), np.uint8), [np.array(line) for line in tile.contours], 1)
    true = cv2.imread(str(found[0].file), cv2.IMREAD_GRAYSCALE) > 0
    assert (drawn.astype(bool) == true).mean() > 0.995

    clips = [mask.sources[0] for mask in found]
    clips[1].unlink()
    shutil.copy(clips[2], clips[3])
    clips[4].write_bytes(b"no clip")
    found[5].file.unlink()
    said = [tile_of(mask).trouble for mask in found[:6]]
    assert said[:4] == ["", "The clip is gone.", "", "The clip has changed since."]
    assert said[4:] == ["The clip has changed since.", "The mask is gone or damaged."]

    (masks / "clips").rename(tmp_path / "elsewhere")
    assert tile_of(masks_in(masks)[0][0]).trouble == "The clip is gone."
    assert tile_of(masks_in(masks, [tmp_path / "elsewhere"])[0][0]).trouble == ""


def test_sprites_answer_many_at_once(masks: Path) -> None:
    with Sprites(masks_in(masks)[0]) as sprites, ThreadPoolExecutor(12) as threads:
        assert len(set(threads.map(lambda k: sprites.get(k % 3).jpeg, range(12)))) == 3
        picture = cv2.imdecode(np.frombuffer(sprites.get(2).jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (6 * 168, 8 * 224)
        assert picture[:168, :224].mean() > 10  # mask 96
        assert picture[-168:].max() == 0  # masks 110 and on
        with pytest.raises(IndexError):
            sprites.get(3)


# The server


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "sectoraug.workbench.cli", *map(str, words)]


def sectoraug(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr[-2000:]
    return done


class Serving:
    """A running `sectoraug review`."""

    def __init__(self, masks: Path, *words: object) -> None:
        self.process = subprocess.Popen(
            command("review", masks, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        found = re.search(r"(http://127\.0\.0\.1:(\d+)/\?token=(\S+))", self.process.stdout.readline())
        assert found, self.process.communicate()[1][-2000:]
        self.address, self.port, self.token = found[1], int(found[2]), found[3]
        self.cookie = f"sectoraug-review-{self.port}={self.token}"

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers; a header given as "" is not sent."""
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            sent |= {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        for name, value in {**sent, "Content-Length": str(len(data))}.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        found = answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return found

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        return out + err


@contextmanager
def serving(masks: Path, *words: object) -> Iterator[Serving]:
    server = Serving(masks, *words)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def wish(*changes: Any, how: str = "hand") -> dict[str, Any]:
    return {"session": "abc", "how": how, "changes": list(changes)}


OUT = wish([0, "out", [None, "in"]])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    folder = make_masks(tmp_path_factory.mktemp("served") / "masks", 60)
    with serving(folder) as running:
        yield running, folder


def test_the_token_opens_the_page_and_becomes_a_cookie(server: tuple[Serving, Path]) -> None:
    running, _ = server
    status, page, headers = running.ask(f"/?token={running.token}", Cookie="")
    assert (status, b"<main" in page) == (200, True)
    assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
    for path in ("/", "/review.js", "/review.css", "/state", "/sprites/0", "/tiles/1", "/frames/3"):
        status, _, headers = running.ask(path)
        assert status == 200, path
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in headers


@pytest.mark.parametrize("cookie", ["", "sectoraug-review=x", "{name}=wrong", "{name}=", "\x01;;=", "{name}"])
@pytest.mark.parametrize("path", ["/", "/review.js", "/state", "/sprites/0", "/frames/0", "/?token=wrong"])
def test_without_the_token_there_is_nothing(server: tuple[Serving, Path], path: str, cookie: str) -> None:
    running, _ = server
    name = running.cookie.split("=")[0]
    status, body, headers = running.ask(path, Cookie=cookie.replace("{name}", name))
    assert status == 403
    assert len(body) < 200
    assert "set-cookie" not in headers
    # The token counts on the page's own address only.
    assert running.ask(f"/state?token={running.token}", Cookie="")[0] == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:1", ""]
)
def test_other_names_for_this_machine_are_refused(server: tuple[Serving, Path], host: str) -> None:
    running, _ = server
    for path in ("/", f"/?token={running.token}", "/state"):
        status, _, headers = running.ask(path, Host=host.replace("{port}", str(running.port)))
        assert status in (400, 421)  # 400: HTTP itself wants a host
        assert "set-cookie" not in headers
    assert running.ask("/state", Host=f"localhost:{running.port}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Cookie": ""}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_others_cannot_decide(server: tuple[Serving, Path], headers: dict[str, str], status: int) -> None:
    running, folder = server
    before = Review(folder).verdicts()
    assert running.ask("/decisions", "POST", OUT, **headers)[0] == status
    assert running.ask("/decisions", "GET")[0] == 405
    assert running.ask("/decisions", "PUT", OUT)[0] == 405
    assert Review(folder).verdicts() == before


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/sprites/..%2f..%2fetc%2fpasswd",
        "/review_page/review.js",
        "/frames/-1",
        "/frames/60",
        "/sprites/2",
        "/tiles/2",
        "/sprites/1e9",
        "//etc/passwd",
        "/manifest.jsonl",
        "/frames/0.png",
        "/review.py",
    ],
)
def test_there_is_nothing_else(server: tuple[Serving, Path], path: str) -> None:
    assert server[0].ask(path)[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        [],
        {},
        wish(how="force"),
        wish([0, "perhaps", []]),
        wish([-1, "in", []]),
        wish([60, "in", []]),
        wish([True, "in", []]),
        wish(["0", "in", []]),
        wish([0, "in"]),
        wish([0, [], []]),
        {**OUT, "session": "../x"},
    ],
)
def test_what_is_no_decision_is_refused(server: tuple[Serving, Path], body: Any) -> None:
    running, folder = server
    before = Review(folder).verdicts()
    assert running.ask("/decisions", "POST", body)[0] == 400
    assert running.ask("/decisions", "POST", b" " * 300_000)[0] == 413
    assert Review(folder).verdicts() == before


def test_decisions_are_written_before_the_answer(server: tuple[Serving, Path]) -> None:
    running, folder = server
    status, body, _ = running.ask("/decisions", "POST", wish([5, "out", [None, "in"]]))
    assert (status, json.loads(body)["verdicts"][5]) == (200, "o")
    assert Review(folder).verdicts()[5] == "o"
    # Another session's word stays where a page is turned.
    running.ask("/decisions", "POST", wish([5, "in", [None]], [6, "in", [None]], how="page"))
    assert Review(folder).verdicts()[5:7] == "oi"


def test_no_picture_no_decision_by_the_way(masks: Path) -> None:
    for k in (0, 4):
        (masks / "clips" / f"clip{k:04d}.npy").unlink()
    (masks / "clips" / "clip0002.npy").write_bytes(b"no clip")
    with serving(masks) as running:
        running.ask("/tiles/0")
        running.ask("/decisions", "POST", wish(*([k, "in", [None]] for k in range(6)), how="page"))
        assert json.loads(running.ask("/state")[1])["verdicts"].startswith("xixixi-")
        assert running.ask("/frames/0")[0] == 404
        running.ask("/decisions", "POST", wish([0, "out", [None]]))
        assert json.loads(running.ask("/state")[1])["verdicts"].startswith("oixixi-")


def test_it_says_nothing_of_what_it_serves_and_leaves_nothing(masks: Path) -> None:
    for clip in (masks / "clips").iterdir():
        clip.rename(clip.with_name(f"DOE-{clip.name}"))
    text = (masks / MANIFEST).read_text()
    (masks / MANIFEST).write_text(text.replace("/clips/clip", "/clips/DOE-clip"))
    (masks / "clips" / "DOE-clip0001.npy").write_bytes(b"no clip")
    before = {path.name for path in masks.iterdir()}
    with serving(masks) as running:
        # Opened on this interface only.
        connections = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True).stdout
        listening = [c.split()[1] for c in connections.splitlines() if f":{running.port:04X} 00000000" in c]
        assert set(listening) <= {f"0100007F:{running.port:04X}"}
        for path in ("/state", "/tiles/0", "/sprites/0", "/frames/0", "/frames/1", "/none"):
            running.ask(path)
        (masks / MANIFEST).unlink()
        (masks / NAME).write_text("damaged\n")
        assert running.ask("/state")[0] == 500
        (masks / NAME).unlink()
        said = running.stop()
    assert "DOE" not in said
    assert "/" not in said.replace(running.address, "")
    assert {path.name for path in masks.iterdir()} <= before


def test_a_port_that_is_taken(server: tuple[Serving, Path]) -> None:
    running, folder = server
    said = sectoraug("review", folder, "--port", running.port, status=2).stderr
    assert said == f"port {running.port} is taken; expected a free one: choose another --port.\n"


def test_a_folder_without_masks(tmp_path: Path) -> None:
    assert "holds no manifest.jsonl" in sectoraug("review", tmp_path, status=2).stderr
    (tmp_path / MANIFEST).touch()
    assert "holds no mask; expected some" in sectoraug("review", tmp_path, status=2).stderr
    assert not (tmp_path / NAME).exists()


# The page, in a browser


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
