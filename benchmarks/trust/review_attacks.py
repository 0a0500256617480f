"""What the review page answers to whoever is not its own page on this machine."""

from __future__ import annotations

import re
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from promises import Promise
from review_page import SECRET, Page, reviewing

PATHS = (
    "/",
    "/review.js",
    "/review.css",
    "/state",
    "/sprites/0",
    "/tiles/0",
    "/frames/0",
    "/decisions",
    "/none",
)


def promises(full: bool) -> list[Promise]:
    """Promises of the review page."""
    with reviewing() as (page, said):
        assert page.status() == 200
        found = [_strangers(page, full), _deciders(page), _paths(page), _junk(page, full)]
        found += [_headers(page), _slow(page, full), _interfaces(page)]
        found.append(_guesses(page, full))
        alive = page.status() == 200
    printed = b"".join(said)
    held = alive and SECRET not in printed and page.token.encode() not in printed
    found.append(
        Promise(
            "After all this the page still serves, and printed neither the token nor a name",
            f"{len(printed)} bytes printed after the address",
            f"{'serves' if alive else 'is down'}; token or names printed: {'no' if held else 'yes'}",
            held,
        )
    )
    return found


def _tally(promise: str, kind: str, tries: dict[str, bool]) -> Promise:
    """Of tries by what they are, and whether each was turned away."""
    bad = [name for name, refused in tries.items() if not refused]
    found = f"{len(tries) - len(bad)} turned away" + (f"; not: {bad[:8]}" if bad else "")
    return Promise(promise, f"{len(tries)} {kind}", found, not bad and bool(tries))


def _strangers(page: Page, full: bool) -> Promise:
    port = page.port
    names = ("evil.example", "127.0.0.1.nip.io", "0.0.0.0", "[::1]", "localhost.", "127.1", "evil#127.0.0.1")
    hosts = [*(f"{name}:{port}" for name in names), f"127.0.0.1:{port + 1}", f"127.0.0.1:{port}@evil"]
    hosts += ["evil.example", "127.0.0.1", f"127.0.0.1:0{port}", None, ""]
    tokens = [
        "",
        page.token[:-1],
        page.token + "A",
        page.token.lower(),
        page.token[::-1],
        "%00",
        "é",
        page.token * 2,
    ]
    tries: dict[str, bool] = {}
    for path in PATHS if full else PATHS[:7]:
        for host in hosts:
            tries[f"{path} for host {host!r}"] = page.status(path, Host=host) in (400, 421)
        for site in ("cross-site", "same-site"):
            tries[f"{path} from {site}"] = page.status(path, Sec_Fetch_Site=site) == 403
        tries[f"{path} without a cookie"] = page.status(path, Cookie=None) == 403
        for token in tokens:
            cookie = f"sectoraug-review-{port}={token}"
            tries[f"{path} with cookie {token!r}"] = page.status(path, Cookie=cookie) == 403
    for token in tokens:
        query = "".join(c if c.isascii() else "%C3%A9" for c in token)
        tries[f"token {token!r} in the address"] = page.status(f"/?token={query}", Cookie=None) == 403
    return _tally(
        "The review page answers nobody but the browser that was given its address: no other host's name "
        "(DNS rebinding), no other site or port, no other token",
        "requests",
        tries,
    )


def _deciders(page: Page) -> Promise:
    wish = b'{"session": "abc", "how": "hand", "changes": [[0, "out", [null, "in"]]]}'
    port = page.port
    changes: list[dict[str, str | None]] = [
        *({"Origin": origin} for origin in ("http://evil.example", "null", "", f"https://127.0.0.1:{port}",
          f"http://127.0.0.1:{port + 1}", f"http://localhost:{port}", f"http://127.0.0.1:{port}/", None)),
        *({"Content_Type": kind} for kind in ("text/plain", "application/x-www-form-urlencoded", None,
          "multipart/form-data; boundary=x", "application/json; charset=utf-8")),
        {"Cookie": None}, {"Host": f"evil:{port}"}, {"Sec_Fetch_Site": "same-site"},
    ]  # fmt: skip
    journal = page.folder / "review.jsonl"
    before = journal.read_bytes() if journal.exists() else b""
    tries = {
        str(change): page.status("/decisions", "POST", wish, **change) in (403, 415, 421)
        for change in changes
    }
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "GET", "HEAD", "BREW"):
        tries[method] = page.status("/decisions", method, wish) in (400, 403, 405)
    after = journal.read_bytes() if journal.exists() else b""
    tries["and nothing was written"] = before == after
    assert page.status("/decisions", "POST", wish) == 200 and journal.read_bytes() != before
    return _tally("No other page can decide (CSRF)", "requests that would change a mask", tries)


def _paths(page: Page) -> Promise:
    climbs = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "..\\", "..%5c", "....//", "..;/", "%00"]
    climbs += ["%c0%ae%c0%ae/", "/", "//", "file:///"]
    goals = ("etc/passwd", "manifest.jsonl", "masks/manifest.jsonl", "review.py")
    heads = ("/", "/frames/", "/tiles/", "/sprites/", "/review.js/")
    tries = {}
    for path in (f"{head}{climb * 4}{goal}" for head in heads for climb in climbs for goal in goals):
        status, got, _ = page.answer(page.head(path, Connection="close") + b"\r\n")
        tries[path] = status in (400, 404) and b"root:" not in got and SECRET not in got
    for path in (
        "/frames/-1",
        "/frames/2",
        "/frames/1e9",
        "/frames/0x0",
        f"/frames/{'9' * 5000}",
        "/tiles/1",
        "/sprites/1",
    ):
        tries[path[:40]] = page.status(path) in (400, 404, 500)
    return _tally("No path reaches a file", "paths", tries)


def _junk(page: Page, full: bool) -> Promise:
    head, post = page.head(), page.head("/decisions", "POST")
    smuggled = page.head("/none", Cookie=None) + b"\r\n"
    junk = {
        "a header of 1 MB": head + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
        "100,000 headers": head + b"".join(b"X%d: a\r\n" % k for k in range(100_000)) + b"\r\n",
        "an address of 100 KB": page.head("/" + "a" * 100_000) + b"\r\n",
        "a body of 300 KB": post + b"Connection: close\r\nContent-Length: 300000\r\n\r\n" + b" " * 300_000,
        "two lengths": post + b"Content-Length: 2\r\nContent-Length: 300\r\n\r\n{}" + smuggled,
        "a negative length": post + b"Content-Length: -1\r\n\r\n",
        "a length that is none": post + b"Content-Length: 2x\r\n\r\n{}",
        "an endless chunk": post + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFFFF\r\n",
        "a bad chunk": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "an unknown coding": post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "two hosts": head + b"Host: evil\r\n\r\n",
        "a space before a colon": head + b"X : a\r\n\r\n",
        "a bare line feed": head.replace(b"\r\n", b"\n")[:-1] + b"\x00\n\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        "nested JSON": post + b"Connection: close\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
        "nothing but zeros": bytes(70_000),
    }
    rng = np.random.default_rng(0)
    for k in range(400 if full else 40):
        junk[f"random bytes {k}"] = rng.bytes(int(rng.integers(1, 3000))) + b"\r\n\r\n"
    tries = {}
    for name, request in junk.items():
        status, got, after_s = page.answer(request)
        tries[name] = status in (0, 400, 403, 404, 405, 413, 414, 421, 431, 500, 501) and after_s < 15
        tries[name] &= SECRET not in got and b"Traceback" not in got
    return _tally("What is no request of a browser is turned away", "kinds of junk", tries)


def _headers(page: Page) -> Promise:
    wanted = {
        b"content-security-policy": rb"default-src 'none'; script-src 'self'; .*frame-ancestors 'none'",
        b"cache-control": rb"no-store",
        b"cross-origin-resource-policy": rb"same-origin",
        b"cross-origin-opener-policy": rb"same-origin",
        b"referrer-policy": rb"no-referrer",
        b"x-content-type-options": rb"nosniff",
        b"x-frame-options": rb"DENY",
    }
    tries = {}
    for path in PATHS:
        for cookie in (page.cookie, None):
            _, got, _ = page.answer(page.head(path, Cookie=cookie, Connection="close") + b"\r\n")
            head, _, body = got.partition(b"\r\n\r\n")
            for name, value in wanted.items():
                key = f"{path} {name.decode()} {'with' if cookie else 'without'} the token"
                tries[key] = bool(re.search(rb"(?im)^" + name + rb": *" + value, head))
            tries[f"{path} without other origins"] = b"access-control" not in head.lower()
            tries[f"{path} without the token"] = page.token.encode() not in got
            tries[f"{path} without addresses"] = not re.search(rb"(?:src|href)=[\"']?(?:https?:)?//", body)
    return _tally(
        "Every answer forbids other sites, caches, frames and referrers", "headers and answers", tries
    )


def _slow(page: Page, full: bool) -> Promise:
    n = 900 if full else 200
    half = page.head()
    drips = [socket.create_connection(("127.0.0.1", page.port), timeout=30) for _ in range(n)]
    for connection in drips:
        connection.sendall(half)
    begun = time.monotonic()
    answers = [page.status() == 200 for _ in range(5)]
    took_s = (time.monotonic() - begun) / 5
    with ThreadPoolExecutor(32) as pool:
        closed = sum(pool.map(_is_closed, drips))
    after_s = time.monotonic() - begun
    return Promise(
        "Connections whose request does not come are closed, and hold nobody up meanwhile",
        f"{n} connections that send half a request",
        f"{closed} closed within {after_s:.0f} s; meanwhile {sum(answers)} of 5 requests answered, in "
        f"{took_s * 1000:.0f} ms each",
        closed == n and all(answers),
    )


def _is_closed(connection: socket.socket) -> bool:
    with connection:
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def _interfaces(page: Page) -> Promise:
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(Path("/proc/net", name))]
    port = f":{page.port:04X}"
    listening = {row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"}
    return Promise(
        "The page listens on the loopback interface only",
        "the system's table of sockets",
        f"{', '.join(sorted(listening)) or 'no table here'}",
        listening <= {f"0100007F{port}"},
    )


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:] if path.exists() else []


def _guesses(page: Page, full: bool) -> Promise:
    """Times to refuse a token that is wrong from its first letter, and one that is wrong in its last."""
    times: dict[str, list[float]] = {"first": [], "last": []}
    last = page.token[:-1] + ("A" if page.token[-1] != "A" else "B")
    for _ in range(1500 if full else 150):
        for which, token in (("first", "!" * len(page.token)), ("last", last)):
            request = page.head(Cookie=f"sectoraug-review-{page.port}={token}", Connection="close") + b"\r\n"
            begun = time.perf_counter()
            assert page.answer(request)[0] == 403
            times[which].append(time.perf_counter() - begun)
    medians = {which: statistics.median(values) * 1e6 for which, values in times.items()}
    spread = statistics.stdev(times["first"]) * 1e6
    differ = abs(medians["first"] - medians["last"])
    return Promise(
        "The token has 256 random bits, and the time to refuse one tells nothing of it",
        f"{len(times['first'])} guesses each that are wrong at once and in the last letter only",
        f"{len(page.token)} letters; medians {medians['first']:.0f} and {medians['last']:.0f} us, "
        f"spread {spread:.0f} us",
        len(page.token) >= 43 and differ < max(spread, 100),
    )
