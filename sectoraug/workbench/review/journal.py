"""What people said of the masks: one JSON line a decision, only ever appended to.

Any number of sessions write to one journal, in one process or in several. A batch of lines is written under
a lock and is on disk when the call returns; for each clip the last line counts. A line torn by a crash is the
last of the file: readers leave it out, and the next writer cuts it off.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from sectoraug.pool.disk import append_all, owner_only
from sectoraug.workbench.run.manifest import Entry, latest_by_clip, read_entries

NAME = "review.jsonl"
VERDICTS = ("in", "out")
_LOCK_SECONDS = 20.0


@dataclass(frozen=True)
class Decision:
    """One line of the journal."""

    clip: str
    """SHA-256 of the source's bytes, and which of its parts."""
    mask: str
    """Digest of the mask that was looked at: a mask that changed since has to be looked at again."""
    verdict: str | None
    """"in", "out", or None: taken back."""
    how: str
    """"hand" (this tile), "page" (by turning the page) or "undo"."""
    session: str
    time: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Change:
    """What a session asks for."""

    clip: str
    mask: str
    verdict: str | None
    only_from: tuple[str | None, ...] = (None, *VERDICTS)
    """The verdicts that it replaces; any other one, as of another session, stays."""


class Journal:
    """The journal of a folder that `sectoraug masks` has written; safe to share between threads.

    Raises ValueError where a line is damaged, PermissionError or OSError where the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.latest: dict[str, Decision] = {}
        """The last decision on each clip."""
        self.last_page_verdict: str | None = None
        """What the last page that was turned counted as."""
        self._bytes_read = 0
        self._lines_read = 0
        self._thread_lock = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Read what has been written since, by whomever."""
        with self._thread_lock:
            self._read_on()

    def verdict(self, clip: str, mask: str) -> str | None:
        """The verdict on a clip with the mask of that digest, if there is one."""
        decision = self.latest.get(clip)
        return decision.verdict if decision is not None and decision.mask == mask else None

    def append(self, changes: Iterable[Change], how: str, session: str) -> None:
        """Write the changes that still apply; they are on disk when this returns."""
        try:
            from filelock import FileLock, Timeout
        except ImportError as error:
            raise ImportError('the workbench needs filelock: pip install "sectoraug[workbench]".') from error
        lock = FileLock(self.folder / ".review.lock", _LOCK_SECONDS, mode=0o600, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise BlockingIOError(
                f"the journal in {self.folder} is held by another process for {_LOCK_SECONDS:g} s; expected "
                "it free: end what holds it."
            ) from None
        try:
            with self._thread_lock, open(self.folder / NAME, "ab", buffering=0, opener=owner_only) as file:
                self._read_on()
                file.truncate(self._bytes_read)
                now = round(time.time(), 3)
                decisions = [
                    Decision(change.clip, change.mask, change.verdict, how, session, now)
                    for change in changes
                    if (before := self.verdict(change.clip, change.mask)) != change.verdict
                    and before in change.only_from
                ]
                lines = "".join(json.dumps(asdict(decision)) + "\n" for decision in decisions).encode()
                append_all(file, lines)
                os.fsync(file.fileno())
                self._read_on()
        finally:
            lock.release()

    def _read_on(self) -> None:
        path = self.folder / NAME
        try:
            with open(path, "rb") as file:
                if file.seek(0, os.SEEK_END) < self._bytes_read:  # removed or replaced by its owner
                    self.latest.clear()
                    self._bytes_read = self._lines_read = 0
                file.seek(self._bytes_read)
                new = file.read()
        except FileNotFoundError:
            self.latest.clear()
            self._bytes_read = self._lines_read = 0
            return
        for line in new[: new.rfind(b"\n") + 1].splitlines(keepends=True):
            decision = _parsed(line, self._lines_read + 1, path)
            self.latest[decision.clip] = decision
            if decision.how == "page":
                self.last_page_verdict = decision.verdict
            self._bytes_read += len(line)
            self._lines_read += 1


def decisions(folder: Path) -> dict[str, str]:
    """The verdict, "in" or "out", on each clip whose mask is still the one that was looked at.

    Args:
        folder: what `sectoraug masks` has written.

    Returns:
        Verdicts by the SHA-256 of the source's bytes, with "-1of2" for a part; clips without are left out.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / "manifest.jsonl").touch()
        >>> decisions(folder)
        {}
    """
    journal = Journal(folder)
    found = {}
    for parts in latest_by_clip(folder).values():
        for entry in parts:
            verdict = verdict_on(entry, folder, journal)
            if verdict is not None:
                found[entry.key] = verdict
    return found


def listing(folder: Path, verdict: str) -> list[str]:
    """The names, as in the manifest, of the clips of one verdict; sorted."""
    found = decisions(folder)
    entries = {(entry.visit, entry.key): entry for entry in read_entries(folder)}.values()
    return sorted({e.source for e in entries if e.sha256 and found.get(e.key) == verdict})


def verdict_on(entry: Entry, folder: Path, journal: Journal) -> str | None:
    """The verdict on an entry's mask as it is now, if there is one; "in" on a drawn one nobody sorted."""
    if entry.sha256 is None or entry.file is None or not (folder / entry.file).is_file():
        return None
    unsorted = "in" if entry.drawn else None
    if entry.key not in journal.latest:
        return unsorted
    return journal.verdict(entry.key, mask_digest(folder / entry.file)) or unsorted


def mask_digest(path: Path) -> str:
    """A digest of a mask's file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _parsed(line: bytes, number: int, path: Path) -> Decision:
    try:
        decision = Decision(**json.loads(line))
        texts = decision.clip, decision.mask, decision.how, decision.session
        if decision.verdict not in (None, *VERDICTS) or not all(type(text) is str for text in texts):
            raise ValueError
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"line {number} of {path} is no decision; expected one JSON object a line: the file is damaged, "
            "remove that line to decide on its clip again."
        ) from error
    return decision
