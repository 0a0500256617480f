"""A run over an archive: what is done is skipped, what is new is done, every end is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sectoraug.progress import track
from sectoraug.workbench.run.engines import Engine, Job
from sectoraug.workbench.run.manifest import NAME, Entry, Manifest
from sectoraug.workbench.run.out_folder import only_writer
from sectoraug.workbench.run.sources import Source

_REASONS = 5


@dataclass(frozen=True)
class Outcome:
    """The counts of a run."""

    done: int
    failed: int
    """Of these sources, in this run or in one before."""
    refused: int
    """Without a copy since they have no good sector."""
    reasons: Counter[str]
    """Why, of those that failed or were refused, without their names."""
    skipped: int
    """Done, or failed and not to be retried, in a run before."""
    good: int
    """Entries of these sources, of this run and of those before, with at least the quality asked for and
    no overlay inside the sector."""
    bad: int
    """Those of less quality."""
    written: int
    """Those with overlay inside."""
    folder: Path

    @property
    def exit_code(self) -> int:
        """Of the command: 1 where something failed or was refused."""
        return 1 if self.failed or self.refused else 0

    def table(self, what: str, others: int, quality_at_least: float) -> str:
        """The counts as aligned lines."""
        rows: list[tuple[str, object]] = [
            (f"{what} done", self.done),
            ("failed", self.failed),
            *([("refused", self.refused)] if self.refused else []),
            ("skipped, as in the manifest before", self.skipped),
            ("other files", others),
            (f"quality at least {quality_at_least:g}", self.good),
            ("quality below", self.bad),
            *([("text or marks inside", self.written)] if self.written else []),
            ("manifest", self.folder / NAME),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        lines += [f"{count:6}: {reason}" for reason, count in self.reasons.most_common(_REASONS)]
        if len(self.reasons) > _REASONS:
            lines.append(f"and {len(self.reasons) - _REASONS} other reasons, in the manifest")
        return "\n".join(lines)


def run(
    job: Job,
    sources: Sequence[Source],
    folder: Path,
    engine: Engine,
    *,
    quality_at_least: float = 0.0,
    retry_failed: bool = False,
    progress: bool = True,
) -> Outcome:
    """Do a job for every source that the folder's manifest does not name yet.

    Killed at any time, the same call goes on: a clip is done once its line is in the manifest, and its file
    is in place before that. A clip whose process died is tried once more, alone, and then recorded as failed.
    What was refused is always tried again: a mask, a decision or an option may have changed. So is what the
    job calls outdated.
    """
    done = 0
    with only_writer(folder), Manifest(folder) as manifest:
        known = manifest.latest
        todo = [
            source
            for source in track(sources, len(sources), "checking", progress)
            if not _is_whole(known.get(source.visit, []))
            or any(end.refused for end in known[source.visit])
            or (retry_failed and any(end.error is not None for end in known[source.visit]))
            or job.is_outdated(source, known[source.visit])
        ]
        for entries in track(_entries(job, todo, engine), len(todo), "clips", progress):
            manifest.append(entries)
            done += sum(entry.error is None for entry in entries)
        ends = [end for source in sources for end in known[source.visit]]
    refused = sum(end.refused for end in ends)
    failed = sum(end.error is not None for end in ends) - refused
    reasons = Counter(end.error.replace(end.source, "").strip() for end in ends if end.error is not None)
    masks = [end for end in ends if end.quality is not None]
    written = sum(not end.clean for end in masks)
    good = sum(end.good(quality_at_least) for end in masks)
    bad = len(masks) - good - written
    return Outcome(done, failed, refused, reasons, len(sources) - len(todo), good, bad, written, folder)


def _is_whole(entries: Sequence[Entry]) -> bool:
    """Whether no part is missing, as where a crash of the machine tore what was written."""
    return bool(entries) and len(entries) == (entries[0].part or (1, 1))[1]


def _entries(job: Job, sources: Sequence[Source], engine: Engine) -> Iterator[list[Entry]]:
    suspects = []
    for source, entries in engine(job, sources):
        if entries is None:
            suspects.append(source)
        else:
            yield entries
    for source in suspects:
        for _, entries in engine(job, [source]):
            died = Entry(
                source.name,
                source.visit,
                error=f"{source.name} ended its process twice; expected a clip that can be decoded: is it "
                "damaged, larger than the memory, or slower than --timeout? Leave it out, or convert it.",
            )
            yield entries or [died]
