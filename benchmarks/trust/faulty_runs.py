"""Runs that can be killed, starved of disk or of room in a file: a fork of this process for each."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_S = 120.0


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    status: int
    """As a shell's: negative for a signal."""
    said: str
    """Its stderr."""
    seconds: float

    @property
    def in_one_sentence(self) -> bool:
        """Whether it failed, and said why in one line without a traceback."""
        lines = self.said.strip().splitlines()
        return self.status == 2 and len(lines) == 1 and "Traceback" not in self.said


def ended(
    call: Callable[[], Any], kill_after_s: float | None = None, most_file_bytes: int | None = None
) -> Ended:
    """Run `call` in a fork; kill it after a while, or let no file of it grow past so many bytes."""
    reader, writer = os.pipe()
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            os.dup2(writer, 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if most_file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes, most_file_bytes))
            status = _status_of(call)
        finally:  # nothing may unwind the caller's frames here: they remove the folder that all work in
            os._exit(status)
    os.close(writer)
    killed = kill_after_s
    if kill_after_s is not None:
        time.sleep(max(0.0, kill_after_s - (time.perf_counter() - start)))
        os.kill(child, signal.SIGKILL)
    said = b""
    with open(reader, "rb") as stream:
        if killed is None:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
            said = stream.read()
            signal.setitimer(signal.ITIMER_REAL, 0)
        _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), said.decode(), time.perf_counter() - start)


def _status_of(call: Callable[[], Any]) -> int:
    status = 0
    try:
        call()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 2
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except (OSError, ValueError, TypeError) as error:  # what a caller of the library sees
        print(error, file=sys.stderr)
        status = 2
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    return status


def command(*words: object) -> Callable[[], None]:
    """A call of the command `sectoraug`."""

    def call() -> None:
        from sectoraug.workbench.cli import app

        app([*map(str, words), "--no-progress"])

    return call


def left_in(out: Path) -> dict[str, Any]:
    """What a run left under a name of its own: bytes, or of a manifest its whole lines."""
    if out.is_file():
        return {"": out.read_bytes()}
    if not out.exists():
        return {}
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        under_way = any(part.startswith(".") or part.endswith(".part") for part in Path(name).parts)
        if path.is_file() and not under_way and not name.startswith("checkpoints/"):
            found[name] = _lasting(path)
    return found


def _lasting(path: Path) -> Any:
    """What does not differ from run to run: no times, and no order of lines."""
    if path.suffix == ".jsonl":
        return _lines(path)
    content = path.read_bytes()
    if path.name == "tables.md":
        return content.partition(b"## Cost")[0]
    if path.suffix == ".json" and b"seconds_since_start" in content:
        about = json.loads(content)
        del about["seconds_since_start"], about["forward_ratio"]
        return json.dumps(about, sort_keys=True).encode()
    return content


def _lines(path: Path) -> set[str]:
    found = set()
    for line in path.read_bytes().split(b"\n")[:-1]:
        about = json.loads(line)
        about.pop("time", None)
        found.add(json.dumps(about, sort_keys=True))
    return found


def wrong_in(out: Path, expected: dict[str, Any], at_once: bool) -> list[str]:
    """What is half-written under a name that stands for something whole.

    at_once: whether all of it appears together, as a pool does.
    """
    found = left_in(out)
    wrong = [
        f"{name} {_unexpected(content, expected.get(name))}"
        for name, content in found.items()
        if not _part_of(content, expected.get(name))
    ]
    if at_once and found and found.keys() != expected.keys():
        wrong.append(f"{len(found)} of {len(expected)} files")
    for line in found.get("manifest.jsonl", ()):
        file = json.loads(line)["file"]
        if file is not None and not any(name == file or name.startswith(f"{file}/") for name in found):
            wrong.append(f"{file} in the manifest only")
    return wrong


def _unexpected(content: Any, expected: Any) -> str:
    if isinstance(content, set) and isinstance(expected, set):
        return f"holds {min(content - expected)}"
    return "is not what it should be"


def _part_of(content: Any, expected: Any) -> bool:
    if isinstance(content, set):
        return expected is not None and content <= expected
    return bool(content == expected)


def litter(out: Path) -> list[str]:
    """What only a run under way may leave."""
    beside = [path.name for path in out.parent.glob(f"{out.name}*.part")]
    return beside + [path.name for path in out.rglob("*.part")] if out.is_dir() else beside
