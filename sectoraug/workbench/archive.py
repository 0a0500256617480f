"""A run over an archive: what is done is skipped, what is new is done, every end is written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sectoraug.progress import track
from sectoraug.workbench.engines import Engine, Job
from sectoraug.workbench.manifest import NAME, Entry, Manifest
from sectoraug.workbench.out_folder import only_writer
from sectoraug.workbench.sources import Source


@dataclass(frozen=True)
class Outcome:
    """The counts of a run."""

    done: int
    failed: int
    skipped: int
    """Done, or failed and not to be retried, in a run before."""
    good: int
    """Entries of these sources, of this run and of those before, with at least the quality asked for."""
    bad: int
    """Those with less."""
    folder: Path

    def table(self, what: str, others: int, quality_at_least: float) -> str:
        """The counts as aligned lines."""
        rows: list[tuple[str, object]] = [
            (f"{what} done", self.done),
            ("failed", self.failed),
            ("skipped, as in the manifest before", self.skipped),
            ("other files", others),
            (f"quality at least {quality_at_least:g}", self.good),
            ("quality below", self.bad),
            ("manifest", self.folder / NAME),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


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
    """
    done = failed = 0
    with only_writer(folder), Manifest(folder) as manifest:
        known = manifest.latest
        todo = [
            source
            for source in sources
            if source.visit not in known or (retry_failed and known[source.visit].error is not None)
        ]
        for entry in track(_entries(job, todo, engine), len(todo), "clips", progress):
            manifest.append(entry)
            failed += entry.error is not None
            done += entry.error is None
        qualities = [known[source.visit].quality for source in sources]
    good = sum(quality is not None and quality >= quality_at_least for quality in qualities)
    bad = sum(quality is not None and quality < quality_at_least for quality in qualities)
    return Outcome(done, failed, len(sources) - len(todo), good, bad, folder)


def _entries(job: Job, sources: Sequence[Source], engine: Engine) -> Iterator[Entry]:
    suspects = []
    for source, entry in engine(job, sources):
        if entry is None:
            suspects.append(source)
        else:
            yield entry
    for source in suspects:
        for _, entry in engine(job, [source]):
            yield entry or Entry(
                source.name,
                source.visit,
                error=f"{source.name} ended its process twice; expected a clip that can be decoded: is it "
                "damaged, larger than the memory, or slower than --timeout? Leave it out, or convert it.",
            )
