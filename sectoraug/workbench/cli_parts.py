"""What several commands do alike: find their files, run a job over them, end with one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sectoraug.workbench.cli_options import RunOptions, Selection

if TYPE_CHECKING:
    from sectoraug.workbench.run.archive import Outcome
    from sectoraug.workbench.run.engines import Engine, Job
    from sectoraug.workbench.run.sources import Source


def sources_of(inputs: list[Path], own: list[Path], options: Selection) -> tuple[list[Source], int]:
    from sectoraug.workbench.run.sources import find_sources

    exclude = options.exclude or []
    with one_sentence():
        for folder in exclude:
            if not folder.is_dir():
                raise NotADirectoryError(f"--exclude {folder} is no folder; expected one among the inputs.")
        return find_sources(inputs, [*own, *exclude], options.folders_are_clips)


def run_job(
    what: str, job: Job, sources: list[Source], others: int, out: Path, options: RunOptions
) -> Outcome:
    """Run it, and print its table."""
    from sectoraug.workbench.run.archive import run

    with one_sentence():
        outcome = run(
            job,
            sources,
            out,
            engine_of(options),
            quality_at_least=options.quality_at_least,
            retry_failed=options.retry_failed,
            progress=options.progress,
        )
    typer.echo(outcome.table(what, others, options.quality_at_least))
    return outcome


def engine_of(options: RunOptions) -> Engine:
    from sectoraug import checks
    from sectoraug.workbench.run.engines import with_dask, with_processes

    checks.choice(options.engine, ("processes", "dask"), "--engine")
    if options.engine == "dask":
        return with_dask(options.workers, options.scheduler, options.timeout)
    if options.scheduler is not None:
        raise ValueError("--scheduler came without --engine dask; expected both: add --engine dask.")
    return with_processes(options.workers, options.timeout)


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the command with the sentence of an expected error, and no traceback."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped; the same command goes on from here.", err=True)
        raise typer.Exit(130) from None
    except (OSError, ValueError, TypeError, ImportError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
