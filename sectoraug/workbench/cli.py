"""The command `sectoraug`. It only reads its arguments here: what does the work is imported when called."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

try:
    import typer
except ImportError:
    sys.exit('The command needs typer: pip install "sectoraug[workbench]".')

from sectoraug.workbench.cli_audit import audit
from sectoraug.workbench.cli_export import export
from sectoraug.workbench.cli_options import (
    Inputs,
    Masks,
    MiscountedName,
    NetworkName,
    PartsName,
    Remember,
    Reviewed,
    RunOptions,
    Selection,
    with_options,
)
from sectoraug.workbench.cli_parts import one_sentence, run_job, sources_of

app = typer.Typer(
    help="Find the ultrasound sectors of an archive, and use them. Nothing here de-identifies.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # their tracebacks show local variables: paths and pixels
)


@app.callback()
def _quietly() -> None:
    warnings.simplefilter("ignore")  # those of libraries quote headers


@app.command()
@with_options
def masks(
    inputs: Inputs,
    out: Annotated[Path, typer.Option(help="Folder for masks and manifest, yours only.")],
    drawn: Annotated[
        Path | None,
        typer.Option(
            help="Folder of masks that you drew, taken before any that is found: patient/view.png for "
            "patient/view.dcm; PNG, NIfTI, DICOM SEG, SlicerUltrasound's JSON. Or a COCO file."
        ),
    ] = None,
    parts: PartsName = "one",
    miscounted: MiscountedName = "raise",
    network: NetworkName = "torch",
    remember: Remember = None,
    *,
    options: RunOptions,
) -> None:
    """Find the sector of every clip: a PNG mask each, and one JSON line each in manifest.jsonl.

    Stop it at any time; the same command goes on where it was.
    """
    from sectoraug import checks
    from sectoraug.reading.clips import MISCOUNTED
    from sectoraug.sectors.clues.net import ENGINES
    from sectoraug.workbench.jobs.masks import PARTS, FindSector
    from sectoraug.workbench.jobs.remembered import remembered_in
    from sectoraug.workbench.run.drawn import with_drawn

    own = [folder for folder in (out, drawn, remember) if folder is not None]
    with one_sentence():
        checks.choice(parts, PARTS, "--parts")
        checks.choice(miscounted, MISCOUNTED, "--miscounted")
        if checks.choice(network, ENGINES, "--network") == "onnx":
            import sectoraug.sectors.clues.net_onnx  # noqa: F401 - once here, or each clip would miss it
        sources, others = sources_of(inputs, own, options)
        known, said = remembered_in(remember) if remember else ((), [])
        if drawn is not None:
            sources, unused = with_drawn(sources, drawn)
            said = unused + said
    for sentence in said:
        typer.echo(sentence, err=True)
    job = FindSector(str(out.absolute()), parts, miscounted, network, known)
    raise typer.Exit(run_job("masks", job, sources, others, out, options).exit_code)


@app.command()
@with_options
def apply(
    masks: Masks,
    inputs: Inputs,
    out: Annotated[Path, typer.Option(help="Folder for the masked copies and their manifest, yours only.")],
    reviewed_only: Reviewed = False,
    *,
    options: RunOptions,
) -> None:
    """Copy clips with every pixel outside the sector at 0, without loss; no good sector, no copy.

    Run again, it removes copies that it would not make today, as their sector was sorted out or an option is
    stricter, and makes those anew whose sector changed.

    This does not de-identify: DICOM headers still hold names and dates, text may stand inside the sector,
    and the manifest holds the paths of the sources.
    """
    from sectoraug.workbench.jobs.masked_copies import MaskClip
    from sectoraug.workbench.review.journal import Journal
    from sectoraug.workbench.run.manifest import read_entries

    with one_sentence():
        read_entries(masks)
        Journal(masks)  # damaged, it would cost every copy
    sources, others = sources_of(inputs, [masks, out], options)
    job = MaskClip(str(masks.absolute()), str(out.absolute()), options.quality_at_least, reviewed_only)
    raise typer.Exit(run_job("copies", job, sources, others, out, options).exit_code)


@app.command()
@with_options
def pool(
    masks: Masks,
    inputs: Inputs,
    out: Annotated[Path, typer.Option(help="New folder for the pool, yours only.")],
    size: Annotated[tuple[int, int], typer.Option(help="Height and width of the backgrounds in pixels.")],
    frames: Annotated[int, typer.Option(min=1, help="Frames of each clip, evenly spaced.")] = 1,
    colour: Annotated[bool, typer.Option(help="Keep colour; clips without are then left out.")] = False,
    resize: Annotated[
        str, typer.Option(metavar="stretch|pad|raise", help="How to fit the size.")
    ] = "stretch",
    reviewed_only: Reviewed = False,
    *,
    options: Selection,
) -> None:
    """Build a BackgroundPool from the clips whose sector is good. It holds patients' overlays."""
    from sectoraug.workbench.jobs.donors import build_pool, n_nearly_black

    sources, others = sources_of(inputs, [masks, out], options)
    with one_sentence():
        built = build_pool(
            masks,
            sources,
            out,
            size,
            frames=frames,
            grey=not colour,
            resize=resize,
            quality_at_least=options.quality_at_least,
            reviewed_only=reviewed_only,
            progress=options.progress,
        )
    for sentence in built.skipped:
        typer.echo(sentence, err=True)
    rows = (
        ("clips", len(sources)),
        ("backgrounds", len(built)),
        ("of them nearly black", n_nearly_black(built, options.progress)),
        ("clips skipped, named above", len(built.skipped)),
        ("other files", others),
        ("pool", out),
    )
    typer.echo("\n".join(f"{name:<28}{value}" for name, value in rows))


@app.command()
def review(
    masks: Masks,
    moved_to: Annotated[
        list[Path] | None, typer.Option(help="A folder given to `masks`, if it is elsewhere now. Repeatable.")
    ] = None,
    default: Annotated[
        str | None,
        typer.Option(
            metavar="in|out",
            help="What turning a page counts untouched masks as.",
            show_default="as the last time, at first in",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 0,
    listed: Annotated[
        str | None, typer.Option("--list", metavar="in|out", help="Print the clips sorted so, and no page.")
    ] = None,
) -> None:
    """Sort masks in or out on a page of this machine; decisions go to DIR/review.jsonl.

    Stop it at any time; the same command goes on where it was.
    """
    from sectoraug import checks
    from sectoraug.workbench.review.journal import VERDICTS, listing
    from sectoraug.workbench.review.server import server
    from sectoraug.workbench.review.sorting import Review

    with one_sentence():
        if listed is not None:
            for name in listing(masks, checks.choice(listed, VERDICTS, "--list")):
                typer.echo(os.fsencode(name))  # names of files need not be text
            return
        page = server(Review(masks, moved_to or [], default), port)
        typer.echo(f"Open {page.address}\nWho has this address sees patients' pictures. Ctrl-C ends.")
        if page.review.without_mask:
            typer.echo(f"Clips without a mask, not shown: {page.review.without_mask}; the manifest says why.")
        page.run()


app.command()(export)
app.command()(audit)


if __name__ == "__main__":
    app()
