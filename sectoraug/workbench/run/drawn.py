"""Which mask that a person drew belongs to which clip: by name alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sectoraug.workbench.formats.drawn import SUFFIXES, coco_names, suffix_of
from sectoraug.workbench.run.sources import Source


def with_drawn(
    sources: Iterable[Source], given: Path, suffixes: tuple[str, ...] = SUFFIXES
) -> tuple[list[Source], list[str]]:
    """The same clips with the masks that a person drew for them, and in a sentence each what was not used.

    The mask of a clip `a/b.dcm` is `given/a/b.dcm.png` or `given/a/b.png`, or of another of the endings; or
    the image `a/b.dcm` or `a/b.png` of a COCO file. Raises ValueError for one that is named like several
    clips, and for several that are named like one.
    """
    masks, others = _masks_in(given, suffixes)
    found: list[Source] = []
    taken: set[tuple[str, str]] = set()
    for source in sources:
        fit = next((masks[name] for name in _names_of(source.name) if name in masks), [])
        if len(fit) > 1:
            raise ValueError(
                f"{source.name} has {len(fit)} drawn masks, such as {_shown(fit[0])} and {_shown(fit[1])}; "
                "expected one: remove the others."
            )
        for drawn in fit:
            if drawn in taken:
                raise ValueError(
                    f"{_shown(drawn)} is named like {source.name} and like another clip; expected one clip a "
                    "mask: put its ending after the clip's whole name, and give inputs with equal names one "
                    "by one."
                )
            taken.add(drawn)
            source = replace(source, drawn=drawn[0], drawn_as=drawn[1])
        found.append(source)
    unused = len({mask for fit in masks.values() for mask in fit} - taken)
    sentences = (
        [f"{unused} masks in {given} have no clip here; expected names like clips'."] if unused else []
    )
    if others:
        sentences.append(
            f"{len(others)} files in {given} are no masks, such as {others[0]}; expected "
            f"{', '.join(suffixes)}: save them as one of these if they are."
        )
    return found, sentences


def _names_of(name: str) -> tuple[str, ...]:
    """What a clip's mask may be called before its ending, the surest first."""
    short = str(PurePosixPath(name).with_suffix(""))
    return (name, short, short[: -len(".nii")]) if name.lower().endswith(".nii.gz") else (name, short)


def _masks_in(given: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """Path and name within it, by the clip's name that fits, and files that are no masks."""
    given = given.absolute()
    masks: dict[str, list[tuple[str, str]]] = {}
    if given.is_file() and ".json" in suffixes:
        return {fit: [(str(given), name) for name in names] for fit, names in coco_names(given).items()}, []
    if not given.is_dir():
        raise NotADirectoryError(
            f"{given} is no folder{' and no COCO file' if '.json' in suffixes else ''}; expected one of "
            "drawn masks, named like their clips: patient/view.png."
        )
    others = []
    for path in sorted(given.rglob("*")):
        inner = path.relative_to(given)
        if not path.is_file() or any(part.startswith(".") for part in inner.parts):
            continue
        suffix = suffix_of(path.name)
        if suffix is not None and suffix in suffixes:
            masks.setdefault(inner.as_posix()[: -len(suffix)], []).append((str(path), ""))
        else:
            others.append(inner.as_posix())
    return masks, others


def _shown(mask: tuple[str, str]) -> str:
    return mask[1] or mask[0]
