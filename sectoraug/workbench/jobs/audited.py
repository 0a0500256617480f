"""An audit of files: a table of labels, a folder of images, their sectors."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.reading.images import stills_of
from sectoraug.reading.stills import read_sector
from sectoraug.workbench.jobs.kept import kept_masks
from sectoraug.workbench.run.drawn import with_drawn
from sectoraug.workbench.run.manifest import NAME as MANIFEST
from sectoraug.workbench.run.out_folder import only_writer, whole_file
from sectoraug.workbench.run.sources import Source, sha256_of

_THUMBNAIL_PX = 160


@dataclass(frozen=True)
class AuditTable:
    """Which columns of a CSV say what."""

    image: str
    label: str
    groups: str | None = None
    split: str | None = None
    attributes: tuple[str, ...] = ()

    def read(self, path: Path) -> dict[str, dict[str, Any]]:
        """File -> image, label, groups, split and attributes."""
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; expected a CSV of files and their labels.")
        wanted = [
            each for each in (self.image, self.label, self.groups, self.split, *self.attributes) if each
        ]
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [each for each in wanted if each not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(
                    f"{path.name} has the columns {', '.join(reader.fieldnames or ())} but not "
                    f"{', '.join(missing)}; expected {', '.join(wanted)}: name them by --image-column, "
                    "--label-column, --groups, --split and --attribute."
                )
            found: dict[str, dict[str, Any]] = {}
            for row in reader:
                if row[self.image] in found:
                    raise ValueError(f"{path.name} names {row[self.image]} twice; expected each file once.")
                found[row[self.image]] = {
                    "label": row[self.label],
                    "group": row[self.groups] if self.groups else None,
                    "split": row[self.split] if self.split else None,
                    "attributes": {each: row[each] for each in self.attributes},
                }
        return found


@dataclass(frozen=True)
class AuditedFiles:
    """A report, and in a sentence each what was left out of it."""

    report: Any
    left_out: list[str]


@dataclass(frozen=True)
class _Read(Sequence[Any]):
    """Arrays that are read from files when they are asked for."""

    paths: list[Path]
    read: Callable[[Path], NDArray[Any]]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: Any) -> Any:
        return self.read(self.paths[i])

    def __iter__(self) -> Iterator[Any]:
        return (self.read(path) for path in self.paths)


def audit_files(
    sources: Sequence[Source],
    rows: dict[str, dict[str, Any]],
    masks: Path,
    out: Path,
    *,
    model: Callable[[Any], Any] | None = None,
    model_size: tuple[int, int] | None = None,
    thumbnails: bool = False,
    quality_at_least: float = 0.5,
    progress: bool = True,
) -> AuditedFiles:
    """Audit the images that have a label and a sector, and write report.html and report.json to `out`."""
    labelled, without_label = _labelled(sources, rows)
    kept = _with_sectors([source for source, _ in labelled], masks, quality_at_least)
    chosen = [(source, row, sector) for (source, row), sector in zip(labelled, kept, strict=True) if sector]
    missing = {"label in the table": without_label, "good sector": len(labelled) - len(chosen)}
    left_out = [f"{n} images have no {what}, and are left out." for what, n in missing.items() if n]
    if not chosen:
        raise ValueError(
            f"none of {len(labelled)} labelled images has a good sector in {masks}; expected some: PNGs "
            "named like the images, or what `sectoraug masks` wrote, sorted in by `sectoraug review` where "
            "quality is low."
        )
    found = [row for _, row, _ in chosen]
    images = _Read([Path(source.path) for source, _, _ in chosen], _middle_frame)
    with only_writer(out):
        report = sa.audit(
            images,
            _Read([sector for _, _, sector in chosen], read_sector),
            [row["label"] for row in found],
            _column(found, "group"),
            model,
            splits=_column(found, "split"),
            attributes={key: [row["attributes"][key] for row in found] for key in found[0]["attributes"]},
            facts=_of_files(images.paths),
            names=[source.name for source, _, _ in chosen],
            model_size=model_size,
            progress=progress,
        )
        shown = _thumbnails(images, report.styles.examples) if thumbnails else None
        with whole_file(out, "report.json") as part:
            part.write_text(json.dumps(report.to_dict() | {"left_out": left_out}, indent=1))
        with whole_file(out, "report.html") as part:
            report.to_html(part, shown, left_out)
    return AuditedFiles(report, left_out)


def load_model(path: Path, channels: int | None, mean: float, std: float) -> Callable[[Any], Any]:
    """A network as torch.export or TorchScript saved it, with what prepares its input before it."""
    import torch

    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; expected a network by torch.export or TorchScript.")
    if path.suffix not in (".pt2", ".ts"):
        raise ValueError(
            f"{path} is no .pt2 and no .ts; expected a network by torch.export.save or torch.jit.save, since "
            "weights alone say nothing of their network and pickles can run anything."
        )
    load: Any = torch.export.load if path.suffix == ".pt2" else torch.jit.load
    try:
        network = load(path)
        network = network.module() if path.suffix == ".pt2" else network
    except Exception as error:  # its loaders raise whatever they meet
        raise ValueError(
            f"{path} could not be loaded ({type(error).__name__}); expected a network by torch.export.save "
            "or torch.jit.save, by a torch no newer than this one: save it again."
        ) from error

    def answer(images: Any) -> Any:
        if channels is not None and images.shape[1] != channels:
            images = images.mean(1, keepdim=True).expand(-1, channels, -1, -1)
        return network((images - mean) / std)

    return answer


def _labelled(
    sources: Sequence[Source], rows: dict[str, dict[str, Any]]
) -> tuple[list[tuple[Source, dict[str, Any]]], int]:
    found = [(source, rows[source.name]) for source in sources if source.name in rows]
    if not found:
        raise ValueError(
            f"none of {len(rows)} files in the table is among {len(sources)} images; expected paths relative "
            f"to the images' folder, such as {sources[0].name if sources else 'patient/view.png'}."
        )
    lost = rows.keys() - {source.name for source, _ in found}
    if lost:
        raise FileNotFoundError(
            f"{len(lost)} of {len(rows)} files in the table are not among the images, such as {min(lost)}; "
            "expected each: correct the table, or leave them out of it."
        )
    return found, len(sources) - len(found)


def _with_sectors(sources: Sequence[Source], masks: Path, quality_at_least: float) -> list[Path | None]:
    if (masks / MANIFEST).exists():
        kept = kept_masks(masks, quality_at_least)
        return [kept.get(sha256_of(Path(source.path))) for source in sources]
    drawn, _ = with_drawn(sources, masks, (".png",))
    return [None if source.drawn is None else Path(source.drawn) for source in drawn]


def _middle_frame(path: Path) -> NDArray[Any]:
    frames = sa.read_clip(path, grey=False, miscounted="keep")
    return np.asarray(frames[len(frames) // 2])


def _of_files(paths: Sequence[Path]) -> dict[str, list[Any]]:
    """What a file gives away before it is opened; a folder of stills has its first one's."""
    firsts = [stills_of(path)[0] if path.is_dir() else path for path in paths]
    sizes = [path.stat().st_size for path in firsts]
    return {"file format": [path.suffix.lower() or "none" for path in firsts], "file bytes": sizes}


def _column(rows: Sequence[dict[str, Any]], key: str) -> list[str] | None:
    return None if rows[0][key] is None else [row[key] for row in rows]


def _thumbnails(images: _Read, examples: NDArray[np.intp]) -> dict[int, bytes]:
    found = {}
    for i in sorted({int(i) for i in examples.ravel() if i >= 0}):
        image = images[i]
        scale = _THUMBNAIL_PX / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        bgr = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        found[i] = cv2.imencode(".png", bgr)[1].tobytes()
    return found
