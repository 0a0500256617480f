"""Runs the scripts that stdin names, each in a fork of its own; run by test_docs.py.

All pages import the same libraries, which takes longer than what they do: here that is done once. What a
script writes goes to a file beside it, its exit status to stdout.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

import albumentations  # noqa: F401

TIMEOUT_S = 120


def run(script: Path) -> None:
    """Run a script as the main one in its folder and end this process, with status 1 if it raises."""
    status = 1
    try:
        signal.alarm(TIMEOUT_S)
        written = os.open(script.with_suffix(".said"), os.O_WRONLY | os.O_CREAT, 0o600)
        for stream in (1, 2):
            os.dup2(written, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(script.parent)
        sys.argv, sys.path[0] = [script.name], str(script.parent)
        runpy.run_path(script.name, run_name="__main__")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(Path(line.rstrip("\n")))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
