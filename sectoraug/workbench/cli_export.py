"""The command `sectoraug export`; what does the work is imported when called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sectoraug.workbench.cli_options import Cut, Masks, Progress, Reviewed, with_options
from sectoraug.workbench.cli_parts import one_sentence

if TYPE_CHECKING:
    from sectoraug.workbench.jobs.exported import Exported


@dataclass(frozen=True)
class ExportOptions:
    """Where to, and what of."""

    coco: Annotated[Path | None, typer.Option(help="New COCO file, run lengths of each mask.")] = None
    polygons: Annotated[bool, typer.Option(help="Write COCO's outlines as polygons.")] = False
    slicer_ultrasound: Annotated[
        Path | None, typer.Option(help="New folder of SlicerUltrasound's JSON: fans and rectangles.")
    ] = None
    dicom_seg: Annotated[
        Path | None, typer.Option(help="New folder of DICOM SEG, with the names of patients that clips hold.")
    ] = None
    nifti: Annotated[Path | None, typer.Option(help="New folder of .nii.gz.")] = None
    deid: Annotated[Path | None, typer.Option(help="New recipe for deid: rectangles by scanner.")] = None
    ctp: Annotated[
        Path | None, typer.Option(help="New script for CTP's DicomPixelAnonymizer: the same rectangles.")
    ] = None
    moved_to: Annotated[
        list[Path] | None, typer.Option(help="A folder given to `masks`, if it is elsewhere now. Repeatable.")
    ] = None
    reviewed_only: Reviewed = False
    quality_at_least: Cut = 0.5
    progress: Progress = True


@with_options
def export(masks: Masks, *, options: ExportOptions) -> None:
    """Give masks to other tools: those that are drawn, sorted in, or good if nobody sorted them.

    Files are called like clips, and for their owner only. Rectangles cannot follow a fan and blacken less
    than `apply`. Nothing here de-identifies.
    """
    from sectoraug.workbench.formats.rectangles import SAID
    from sectoraug.workbench.jobs import exported as jobs

    ways: dict[str, tuple[Path | None, Callable[..., Exported]]] = {
        "COCO": (options.coco, partial(jobs.to_coco, polygons=options.polygons)),
        "SlicerUltrasound": (options.slicer_ultrasound, jobs.to_slicer_ultrasound),
        "DICOM SEG": (options.dicom_seg, jobs.to_dicom_seg),
        "NIfTI": (options.nifti, jobs.to_nifti),
        "deid": (options.deid, jobs.to_deid),
        "CTP": (options.ctp, jobs.to_ctp),
    }
    wanted = {name: (to, way) for name, (to, way) in ways.items() if to is not None}
    with one_sentence():
        if not wanted:
            raise ValueError(
                "no format came; expected --coco, --slicer-ultrasound, --dicom-seg, --nifti, --deid or --ctp."
            )
        if options.polygons and options.coco is None:
            raise ValueError("--polygons came without --coco; expected both: add --coco FILE.")
        for to, _ in wanted.values():
            jobs.must_be_new(to)
        chosen = jobs.chosen_masks(
            masks, options.moved_to or [], options.quality_at_least, options.reviewed_only
        )
        if chosen.left_out:
            n = chosen.left_out.total()
            of = n + len(chosen.masks)
            typer.echo(f"{n} of {of} clips not exported: {jobs.said(chosen.left_out)}.", err=True)
        for name, (to, way) in wanted.items():
            _say(name, way(chosen.masks, to, progress=options.progress))
        if {"deid", "CTP"} & wanted.keys():
            typer.echo(SAID, err=True)


def _say(name: str, done: Exported) -> None:
    typer.echo(f"{name + ' masks':<28}{done.written} in {done.to}")
    for why, n in done.left_out.most_common():
        typer.echo(f"{'  left out':<28}{n}: {why}")
    for why, n in done.noted.most_common():
        typer.echo(f"{'  of them':<28}{n}: {why}")
    if done.least_overlap < 1:
        typer.echo(f"{'  least overlap':<28}{done.least_overlap:.3f} of a mask with its fan or rectangle")
