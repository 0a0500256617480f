"""The page's server: this machine alone, with the token, and nothing written but decisions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from review_masks import Serving, sectoraug, serving

from sectoraug.workbench.review.journal import NAME
from sectoraug.workbench.review.sorting import Review
from sectoraug.workbench.run.manifest import NAME as MANIFEST


def wish(*changes: Any, how: str = "hand") -> dict[str, Any]:
    return {"session": "abc", "how": how, "changes": list(changes)}


OUT = wish([0, "out", [None, "in"]])


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
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_others_cannot_decide(server: tuple[Serving, Path], headers: dict[str, str], status: int) -> None:
    running, folder = server
    before = Review(folder).verdicts()
    assert running.ask("/decisions", "POST", OUT, **headers)[0] == status
    assert running.ask("/decisions", "GET")[0] == 405
    assert running.ask("/decisions", "PUT", OUT)[0] == 405
    assert Review(folder).verdicts() == before


def test_pages_of_other_ports_see_nothing(server: tuple[Serving, Path]) -> None:
    """They are of the same site, so that the browser sends the cookie."""
    running, _ = server
    for site, status in (("same-site", 403), ("cross-site", 403), ("same-origin", 200), ("none", 200)):
        assert running.ask("/frames/0", Sec_Fetch_Site=site)[0] == status
    # A link to the whole address may stand anywhere, as in a terminal that is a web page.
    assert running.ask(f"/?token={running.token}", Cookie="", Sec_Fetch_Site="cross-site")[0] == 200


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
        b"[" * 100_000,
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
