"""The command `sectoraug audit`; what does the work is imported when called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sectoraug.workbench.cli_options import RunOptions, with_options
from sectoraug.workbench.cli_parts import one_sentence, run_job, sources_of

if TYPE_CHECKING:
    from sectoraug.workbench.run.sources import Source


@dataclass(frozen=True)
class AuditOptions(RunOptions):
    """Which columns say what, and what the model takes."""

    image_column: Annotated[str, typer.Option(help="The CSV's column of files.")] = "image"
    label_column: Annotated[str, typer.Option(help="The CSV's column of labels.")] = "label"
    groups: Annotated[
        str | None,
        typer.Option(help="The CSV's column of patients.", show_default="20 neighbouring files are one"),
    ] = None
    split: Annotated[
        str | None, typer.Option(help="The CSV's column of splits: leaks between them are looked for.")
    ] = None
    attribute: Annotated[
        list[str] | None, typer.Option(help="A column of what else is known, as the scanner. Repeatable.")
    ] = None
    model: Annotated[
        Path | None,
        typer.Option(help="A network that you trust, by torch.export (.pt2) or TorchScript (.ts)."),
    ] = None
    model_size: Annotated[tuple[int, int] | None, typer.Option(help="Height and width that it takes.")] = None
    model_channels: Annotated[int | None, typer.Option(min=1, max=3, help="Channels that it takes.")] = None
    mean: Annotated[float, typer.Option(help="Taken from pixels in 0..1 for the model.")] = 0.0
    std: Annotated[float, typer.Option(min=1e-6, help="By which they are divided then.")] = 1.0
    thumbnails: Annotated[
        bool, typer.Option(help="Show images of each style. They hold what was burned in: patients' names.")
    ] = False


@with_options
def audit(
    images: Annotated[
        Path, typer.Option(help="Folder of stills or clips; of a clip its middle frame counts.")
    ],
    sectors: Annotated[
        str,
        typer.Option(
            metavar="DIR|auto",
            help="What `sectoraug masks` wrote, or a folder of PNGs named like the images; auto finds them.",
        ),
    ],
    labels: Annotated[
        Path, typer.Option(help="CSV: a column of files, relative to the images, and one of labels.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json, yours only.")],
    *,
    options: AuditOptions,
) -> None:
    """Say whether backgrounds or outlines tell the label, and whether a model reads them.

    Writes a page and its JSON; nothing here de-identifies.
    """
    from sectoraug.workbench.jobs.audited import AuditTable, audit_files, load_model

    columns = AuditTable(
        options.image_column,
        options.label_column,
        options.groups,
        options.split,
        tuple(options.attribute or ()),
    )
    with one_sentence():
        network = None
        if options.model is not None:
            network = load_model(options.model, options.model_channels, options.mean, options.std)
        rows = columns.read(labels)
    own = [out] if sectors == "auto" else [out, Path(sectors)]
    sources, _ = sources_of([images], own, options)
    masks = _found(sources, out / "masks", options) if sectors == "auto" else Path(sectors)
    with one_sentence():
        done = audit_files(
            sources,
            rows,
            masks,
            out,
            model=network,
            model_size=options.model_size,
            thumbnails=options.thumbnails,
            quality_at_least=options.quality_at_least,
            progress=options.progress,
        )
    for sentence in done.left_out:
        typer.echo(sentence, err=True)
    typer.echo(f"{done.report}\n\nThe report is {out / 'report.html'}")


def _found(sources: list[Source], folder: Path, options: RunOptions) -> Path:
    from sectoraug.workbench.jobs.masks import FindSector

    run_job("masks", FindSector(str(folder.absolute()), "one", "keep"), sources, 0, folder, options)
    return folder
