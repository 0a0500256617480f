"""The command `sectoraug` in this process: no worker is spawned that could die unseen."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from fuzzing.confined import Broken


def _engine(workers: int, timeout_s: float) -> Any:
    from sectoraug.workbench.run.engines import attempt

    def run(job: Any, sources: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for source in sources:
            yield source, attempt(job, source)

    return run


def command(*words: object) -> tuple[int, str]:
    """Exit code, and what it printed. Whatever else than an exit comes out of it is raised."""
    from typer.testing import CliRunner

    from sectoraug.workbench.cli import app
    from sectoraug.workbench.run import engines

    if "--timeout" in words:  # a worker that may be ended is forked: a new one imports everything again
        fork = multiprocessing.get_context("fork")
        patched = mock.patch.object(engines.multiprocessing, "get_context", return_value=fork)
    else:
        patched = mock.patch.object(engines, "with_processes", _engine)
    with patched:
        done = CliRunner().invoke(app, [*map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def masks(inputs: list[Path], out: Path, good: str = "", words: tuple[object, ...] = ()) -> str:
    """`masks`: every error in the manifest is a sentence, and the good clip, if any, has its mask."""
    from sentences import fault_of

    code, said = command("masks", *inputs, "--out", out, "--no-progress", *words)
    if not (out / "manifest.jsonl").exists():
        return _one_sentence(code, said)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    for line in lines:
        fault = fault_of(ValueError(line["error"])) if line["error"] else ""
        if fault or "unexpected" in (line["error"] or ""):
            raise Broken(f"an entry of the manifest has {fault or 'no reason'}: {line['error']}")
    if good and not any(line["source"].endswith(good) and line["file"] for line in lines):
        raise Broken(f"the good clip beside it has no mask: {said}")
    return next((line["error"] for line in lines if line["error"]), "done")


def _one_sentence(code: int, said: str) -> str:
    from sentences import fault_of

    fault = fault_of(ValueError(said.strip()))
    if code == 0 or ("Usage:" not in said and fault):
        raise Broken(f"the command ended with {code} and {fault or 'no mask'}: {said}")
    return said.strip()
