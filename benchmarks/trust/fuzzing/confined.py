"""Running cases in a child process, so that one that crashes, hangs or eats the memory is seen and named."""

from __future__ import annotations

import json
import mmap
import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SECONDS = 10.0
"""Of processor time; of the clock for a process that sleeps, as cores may be shared."""
_MOST_SECONDS = 300.0
MOST_BYTES = 2 << 30
_PACKAGE = Path(__file__).resolve().parents[3] / "sectoraug"
_POLL_SECONDS = 0.02
_OUT_OF_MEMORY = 77

Case = Callable[[Path], str]
"""Called with an empty folder of its own; says how it ended ("done", or a sentence), or raises."""


class Broken(AssertionError):
    """A promise that a case saw broken."""


@dataclass(frozen=True)
class End:
    """How a case ended."""

    case: int
    how: str
    """"done" or "refused", else what is wrong: "crash", "hang", "memory", "broken", or "error"."""
    said: str
    where: str = ""
    """The line of the package that raised, of an error."""
    seconds: float = 0.0
    """Of processor time, where it came to its end."""

    @property
    def is_well(self) -> bool:
        """Whether it did what it should, or said in a sentence why not."""
        return self.how in ("done", "refused")


def run_confined(cases: Sequence[Case], keep_all: bool = False) -> tuple[list[End], dict[str, float]]:
    """The ends of cases that did not end well (or of all), and counts: done, refused, peak bytes, seconds.

    One child after the other runs them in their order; a child that dies, hangs or has had too much memory
    is replaced, and goes on with the next case.
    """
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    shared = np.frombuffer(
        mmap.mmap(-1, 4096), np.float64
    )  # case, start, done, refused, peak, processor time then,
    # processor time last seen, and when it grew
    ends, log, first = [], work / "ends.jsonl", 0
    began = time.perf_counter()
    try:
        while first < len(cases):
            shared[:2], shared[5] = (first, time.monotonic()), 0
            child = os.fork()
            if child == 0:
                _child(cases, first, shared, work, log, keep_all)
            died = _watch(child, shared)
            if died is None:
                break
            case = int(shared[0])
            ends.append(End(case, died[0], died[1], "", time.monotonic() - shared[1]))
            first = case + 1
        if log.exists():
            killed = {end.case for end in ends}  # which may have said before that it ended well
            logged = (End(**json.loads(line)) for line in log.read_text().splitlines())
            ends += [end for end in logged if end.case not in killed]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    counts = {"done": shared[2], "refused": shared[3], "peak_bytes": shared[4]}
    return ends, {**counts, "seconds": time.perf_counter() - began}


def _watch(child: int, shared: np.ndarray) -> tuple[str, str] | None:
    """Wait for a child; how it died, or None if it came to its end."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if os.WIFSIGNALED(status):
                return "crash", f"the process died of signal {signal.Signals(os.WTERMSIG(status)).name}"
            code = os.WEXITSTATUS(status)
            if code == _OUT_OF_MEMORY:
                return "memory", f"a peak of {shared[4] / 2**30:.1f} GiB"
            return None if code == 0 else ("crash", f"the process ended with {code}")
        held = _resident_bytes(child)
        shared[4] = max(shared[4], held)
        late = _is_late(child, shared)
        if late or held > MOST_BYTES:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return (
                ("hang", f"over {SECONDS:.0f} s") if late else ("memory", f"{held / 2**30:.1f} GiB and more")
            )
        time.sleep(_POLL_SECONDS)


def _is_late(process: int, shared: np.ndarray) -> bool:
    waited = time.monotonic() - shared[1]
    if waited < SECONDS:
        return False
    try:
        state, *numbers = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return False
    used = (int(numbers[10]) + int(numbers[11])) / os.sysconf("SC_CLK_TCK")
    if used != shared[6] or state not in "ST":
        shared[6:8] = used, time.monotonic()
    is_asleep = time.monotonic() - shared[7] > SECONDS / 2
    return used - shared[5] > SECONDS or is_asleep or waited > _MOST_SECONDS


def _resident_bytes(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0


def _child(
    cases: Sequence[Case], first: int, shared: np.ndarray, work: Path, log: Path, keep_all: bool
) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter("ignore")
    code = 1
    try:
        with open(log, "a") as file:
            for index in range(first, len(cases)):
                shared[:2], shared[5] = (index, time.monotonic()), time.process_time()
                end = _ended(cases[index], index, work / str(os.getpid()))
                shared[2] += end.how == "done"
                shared[3] += end.how == "refused"
                if keep_all or not end.is_well:
                    file.write(json.dumps(end.__dict__) + "\n")
                    file.flush()
                used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
                peak = 1024 * max(one.ru_maxrss for one in used)
                shared[4] = max(shared[4], peak)
                if peak > MOST_BYTES:
                    os._exit(_OUT_OF_MEMORY)
        code = 0
    finally:
        os._exit(code)


def _ended(case: Case, index: int, folder: Path) -> End:
    from sentences import fault_of

    folder.mkdir()
    began = time.process_time()
    how, said, where = "done", "", ""
    try:
        said = case(folder)
        how = "refused" if said != "done" else how
    except Broken as broken:
        how, said = "broken", str(broken)
    except Exception as error:
        fault = "" if _is_the_hosts(error) else fault_of(error)
        how, said = (
            ("error", f"{fault}: {type(error).__name__}: {error}") if fault else ("refused", str(error))
        )
        where = _line_of(error) if fault else ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return End(index, how, said[:500], where, time.process_time() - began)


def _is_the_hosts(error: BaseException) -> bool:
    """Whether a host library refused its own arguments before it called the package."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return bool(files) and "site-packages" in files[-1] and not any(map(_is_own, files))


def _is_own(file: str) -> bool:
    return file.startswith(str(_PACKAGE))


def _line_of(error: BaseException) -> str:
    """The innermost line in the package, else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)] or frames
    return f"{own[-1].filename.rpartition('/sectoraug/')[2]}:{own[-1].lineno} {own[-1].name}" if own else ""
