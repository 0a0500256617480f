"""What is run under faults: every command that writes, on clips of the phantom, with what it should leave."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from faulty_runs import command, ended, left_in

import sectoraug as sa

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SIDE_PX = 48


@dataclass
class Job:
    """A run that writes to a place of its own."""

    name: str
    call: Callable[[Path], Callable[[], Any]]
    at_once: bool = False
    """Whether what it writes appears whole or not at all; else file by file."""
    expected: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """Of a run that nothing disturbs."""

    def measured(self, folder: Path) -> Job:
        """With what an undisturbed run leaves."""
        out = folder / f"{self.name.replace(' ', '-')}-whole"
        end = ended(self.call(out))
        assert end.status in (0, 1), end.said
        self.expected, self.seconds = left_in(out), end.seconds
        assert self.expected, f"{self.name} left nothing"
        return self


_LOADED = (
    "filelock",
    "nibabel",
    "pycocotools.mask",
    "pydicom.pixels",
    "sectoraug.reading.arrays",
    "sectoraug.workbench.jobs.audited",
    "sectoraug.workbench.jobs.donors",
    "sectoraug.workbench.jobs.exported",
    "sectoraug.workbench.jobs.masked_copies",
    "sectoraug.workbench.jobs.masks",
    "sectoraug.workbench.review.journal",
    "sectoraug.workbench.run.archive",
)


def imported() -> None:
    """Import once what the forks need, and start no thread: a fork of a process with threads could hang."""
    from typer.main import get_command

    from sectoraug.sectors.clues.net_torch import default_net, default_overlay_net
    from sectoraug.workbench.cli import app

    for name in _LOADED:
        import_module(name)
    get_command(app).commands["export"].make_context("export", ["masks"])  # what reads arguments
    cv2.setNumThreads(1)
    default_net(), default_overlay_net()


def jobs_in(folder: Path, n_clips: int) -> dict[str, Job]:
    """Those that take a second or less, measured; clips, masks and stills are made in `folder`."""
    clips = _make_clips(folder / "clips", n_clips)
    masks = folder / "masks"
    made = ended(partial(_run, "masks", masks, clips, masks))
    assert made.status == 0, made.said
    found = [
        Job("pool", partial(_pool, folder / "stills"), at_once=True),
        Job(
            "sectoraug pool",
            lambda out: command("pool", masks, clips, "--out", out, "--size", 32, 32),
            at_once=True,
        ),
        Job("masks", lambda out: partial(_run, "masks", masks, clips, out)),
        Job("apply", lambda out: partial(_run, "apply", masks, clips, out)),
        Job("review", lambda out: partial(_review, out)),
        Job("export to a folder", lambda out: command("export", masks, "--nifti", out), at_once=True),
        Job("export to a file", lambda out: command("export", masks, "--coco", out), at_once=True),
    ]
    _make_stills(folder / "stills", 4 * n_clips)
    return {job.name: job.measured(folder) for job in found}


def costly_jobs_in(folder: Path) -> dict[str, Job]:
    """Those that take many seconds; they need what `jobs_in` made."""
    clips, audited, masks = folder / "clips", _make_clips(folder / "audited", 16), folder / "audited-masks"
    made = ended(partial(_run, "masks", masks, audited, masks))
    assert made.status == 0, made.said
    labels = folder / "labels.csv"
    rows = [f"{path.name},{'ab'[i % 2]},{i}" for i, path in enumerate(sorted(audited.iterdir()))]
    labels.write_text("\n".join(("image,label,patient", *rows, "")))
    audit = ("audit", "--images", audited, "--sectors", masks, "--labels", labels, "--groups", "patient")
    found = [
        Job("masks with workers", lambda out: command("masks", clips, "--out", out, "--workers", 2)),
        Job("audit", lambda out: command(*audit, "--out", out)),
        Job("training", lambda out: partial(_train, out)),
    ]
    return {job.name: job.measured(folder) for job in found}


def archive_in(folder: Path, n: int) -> Job:
    """Masks of so many clips that something can happen meanwhile."""
    clips = _make_clips(folder / "archive", n)
    return Job("masks of an archive", lambda out: partial(_run, "masks", out, clips, out)).measured(folder)


def _make_clips(folder: Path, n: int) -> Path:
    folder.mkdir()
    for i in range(n):
        frames = sa.phantom.make_clip(frames=8, size=(64, 64), seed=i).frames
        np.savez(folder / f"clip{i:03d}.npz", frames=frames)
    return folder


def _make_stills(folder: Path, n: int) -> None:
    folder.mkdir()
    data = sa.phantom.make_dataset(n, size=(SIDE_PX, SIDE_PX))
    for i in range(n):
        cv2.imwrite(str(folder / f"{i:04d}-image.png"), data.images[i])
        cv2.imwrite(str(folder / f"{i:04d}-sector.png"), data.sectors[i] * np.uint8(255))


def _pool(stills: Path, out: Path) -> Callable[[], Any]:
    images, sectors = (sorted(stills.glob(f"*-{kind}.png")) for kind in ("image", "sector"))

    def build() -> None:
        pool = sa.BackgroundPool.from_files(images, sectors, size=(SIDE_PX, SIDE_PX), progress=False)
        pool.save(out, progress=False)

    return build


def serial(job: Any, sources: Any) -> Any:
    """An engine in this process, for many runs: what workers do, without their start of two seconds."""
    from sectoraug.workbench.run.engines import attempt

    for source in sources:
        yield source, attempt(job, source)


def _run(what: str, masks: Path, clips: Path, out: Path) -> None:
    """A run over the archive as the command makes it, but in one process."""
    from sectoraug.workbench.jobs.masked_copies import MaskClip
    from sectoraug.workbench.jobs.masks import FindSector
    from sectoraug.workbench.run.archive import run
    from sectoraug.workbench.run.sources import find_sources

    job = FindSector(str(out)) if what == "masks" else MaskClip(str(masks), str(out), 0.5)
    sources, _ = find_sources([clips])
    run(job, sources, out, serial, progress=False)


def _review(out: Path, n: int = 60) -> None:
    """One who sorts: the same pages again after a fault, as a person would."""
    from sectoraug.workbench.review.journal import Change, Journal

    out.mkdir(exist_ok=True)
    journal = Journal(out)
    for page in range(n):
        verdict = ("in", "out")[page % 2]
        changes = [Change(f"clip{page}-{k}", "mask", verdict) for k in range(8)]
        journal.append(changes, "page", "somebody")


def _train(out: Path) -> None:
    words = ("--images", 96, "--size", 32, "--epochs", 4, "--layer", "layer2", "--seeds", 0)
    script = EXAMPLES / "reproduce" / "reproduce.py"
    os.execv(
        sys.executable,
        [sys.executable, str(script), *map(str, words), "--runs", "backmix@0.5", "--out", str(out)],
    )


def cleared(out: Path) -> Path:
    """The place without what was there."""
    for path in (out, *out.parent.glob(f"{out.name}.*.part")):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return out
