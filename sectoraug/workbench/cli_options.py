"""Options that several commands share, each written once, and long ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Inputs = Annotated[
    list[Path],
    typer.Argument(
        help="Clips and stills, or folders that are searched for them: DICOM, video, GIF, NIfTI, NPY, NPZ, "
        "PNG, JPEG, BMP, TIFF, WEBP.",
        show_default=False,
    ),
]
Masks = Annotated[Path, typer.Argument(metavar="DIR", help="What `sectoraug masks --out DIR` has written.")]
Exclude = Annotated[list[Path] | None, typer.Option(help="A folder that is not searched. Repeatable.")]
Folders = Annotated[bool, typer.Option(help="Take a folder of stills for one clip, and not each still.")]
Cut = Annotated[float, typer.Option(min=0, max=1, help="The least quality of a sector that counts as good.")]
Reviewed = Annotated[
    bool, typer.Option(help="Take only sectors that `sectoraug review` sorted in; those sorted out never.")
]
Remember = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="What `masks` has written and you sorted: outlines that are in, or drawn, are tried on clips "
        "that show the same screen. To be reviewed as any other.",
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes.", show_default="one a core")]
EngineName = Annotated[str, typer.Option(metavar="processes|dask", help="Processes here, or a Dask cluster.")]
Scheduler = Annotated[
    str | None,
    typer.Option(help="Address of a Dask scheduler whose workers see the same folders; else one is started."),
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds after which a clip counts as one that hangs.")]
Retry = Annotated[bool, typer.Option(help="Try those again that failed in a run before.")]
Progress = Annotated[bool, typer.Option(help="Show a progress bar.")]
PartsName = Annotated[
    str,
    typer.Option(
        metavar="one|each",
        help="A clip whose sector changes midway: refused, or a mask and a line for each part.",
    ),
]
MiscountedName = Annotated[
    str,
    typer.Option(
        metavar="raise|keep",
        help="A clip of more or fewer frames than its header says: refused, or noted and done.",
    ),
]
NetworkName = Annotated[
    str,
    typer.Option(
        metavar="torch|onnx",
        help="What computes the network; onnx, an extra, starts faster as it imports no torch.",
    ),
]
# Those this process may use: in a container or a batch job fewer than the machine has.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Selection:
    """Which files count, and how much is said."""

    exclude: Exclude = None
    quality_at_least: Cut = 0.5
    folders_are_clips: Folders = False
    progress: Progress = True


@dataclass(frozen=True)
class RunOptions(Selection):
    """The same, and who does the work of a run over many files."""

    engine: EngineName = "processes"
    workers: Workers = CORES
    scheduler: Scheduler = None
    timeout: Timeout = 3600
    retry_failed: Retry = False


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, in place of its parameter `options`, an option for each field of that one's class.

    typer makes options of a function's parameters alone.
    """
    hints = get_type_hints(command, include_extras=True)
    kind = hints["options"]
    shared = {
        name: field.replace(annotation=get_type_hints(kind, include_extras=True)[name])
        for name, field in signature(kind).parameters.items()
    }
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature(command).parameters.items()
        if name != "options"
    ]

    @wraps(command)
    def called(**given: Any) -> None:
        options = kind(**{name: given.pop(name) for name in shared})
        command(**given, options=options)

    parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*own, *shared.values())]
    called.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called
