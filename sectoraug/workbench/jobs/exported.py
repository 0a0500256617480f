"""The masks of a `masks` run in other tools' formats: those that `apply` would take, and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import sectoraug as sa
from sectoraug.progress import track
from sectoraug.workbench.formats import coco, dicom_seg, nifti, rectangles, slicer_ultrasound
from sectoraug.workbench.formats.clip_mask import ClipMask, LeftOut
from sectoraug.workbench.jobs.kept import kept_masks
from sectoraug.workbench.run.manifest import Entry, latest_by_clip, read_entries
from sectoraug.workbench.run.out_folder import whole_file, whole_folder, whole_lone_file
from sectoraug.workbench.run.sources import is_unchanged


@dataclass(frozen=True)
class Chosen:
    """What there is to export."""

    masks: list[ClipMask]
    left_out: Counter[str]
    """How many clips have no such mask, by why."""


@dataclass
class Exported:
    """What became of the masks in one format."""

    to: Path
    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    """How many of those written have a drawback, by which."""
    least_overlap: float = 1.0
    """Of a mask with what stands for it, 0..1; 1 where it is the mask itself."""


def chosen_masks(
    folder: Path, moved_to: Sequence[Path] = (), quality_at_least: float = 0.5, reviewed_only: bool = False
) -> Chosen:
    """One mask for each name in a manifest: drawn, sorted in, or good if nobody sorted it.

    Raises ValueError where two clips have one name, or none has a mask.
    """
    kept = kept_masks(folder, quality_at_least, reviewed_only)
    latest = latest_by_clip(folder)
    masks, left_out = [], Counter[str]()
    for entry in _by_name(folder):
        found = latest[entry.sha256][0] if entry.sha256 in latest else entry
        if entry.part is not None:
            left_out["in parts, with several masks"] += 1
        elif found.file is None or found.sha256 is None:
            left_out["without a mask"] += 1
        elif found.sha256 not in kept:
            left_out["sorted out, or not good enough"] += 1
        else:
            geometry = None if found.geometry is None else sa.SectorGeometry.from_dict(found.geometry)
            find = partial(_place_of, entry, tuple(moved_to))
            masks.append(ClipMask(entry.source, kept[found.sha256], geometry, find, found.drawn))
    if not masks:
        raise ValueError(
            f"none of {left_out.total()} clips in {folder} has a mask to export ({said(left_out)}); expected "
            "some that are good or sorted in: run `sectoraug review` first, or lower --quality-at-least."
        )
    return Chosen(masks, left_out)


def must_be_new(to: Path) -> None:
    """Raise FileExistsError for what may hold masks that somebody has edited since."""
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise FileExistsError(f"{to} is there already; expected a new name: choose another, or remove it.")


def to_coco(masks: Sequence[ClipMask], file: Path, progress: bool = True, polygons: bool = False) -> Exported:
    """One COCO file."""
    with whole_lone_file(file) as part:
        coco.write(track(masks, len(masks), "masks", progress), part, polygons)
    return Exported(file, len(masks))


def to_nifti(masks: Sequence[ClipMask], out: Path, progress: bool = True) -> Exported:
    """A folder of NIfTI masks."""
    return _to_folder(masks, out, nifti.SUFFIX, nifti.write, progress)


def to_slicer_ultrasound(masks: Sequence[ClipMask], out: Path, progress: bool = True) -> Exported:
    """A folder of SlicerUltrasound's JSON."""
    return _to_folder(masks, out, slicer_ultrasound.SUFFIX, slicer_ultrasound.write, progress)


def to_dicom_seg(masks: Sequence[ClipMask], out: Path, progress: bool = True) -> Exported:
    """A folder of DICOM SEG."""
    return _to_folder(masks, out, dicom_seg.SUFFIX, dicom_seg.write, progress)


def to_deid(masks: Sequence[ClipMask], file: Path, progress: bool = True) -> Exported:
    """A recipe for deid."""
    return _to_rules(masks, file, rectangles.write_deid, progress, rectangles.spoilt_by_deid)


def to_ctp(masks: Sequence[ClipMask], file: Path, progress: bool = True) -> Exported:
    """A script for CTP's DicomPixelAnonymizer."""
    return _to_rules(masks, file, rectangles.write_ctp, progress)


def _to_folder(
    masks: Sequence[ClipMask],
    out: Path,
    suffix: str,
    write: Callable[[ClipMask, Path], float | None],
    progress: bool,
) -> Exported:
    done = Exported(out)
    with whole_folder(out) as folder:
        for mask in track(masks, len(masks), "masks", progress):
            try:
                with whole_file(folder, f"{mask.name}{suffix}") as part:
                    common = write(mask, part)
            except LeftOut as why:
                done.left_out[str(why)] += 1
                continue
            done.written += 1
            done.least_overlap = min(done.least_overlap, 1.0 if common is None else common)
    return done


def _to_rules(
    masks: Sequence[ClipMask],
    file: Path,
    write: Callable[[dict[rectangles.Scanner, rectangles.Box], Path], None],
    progress: bool,
    drawback: Callable[[ClipMask], str | None] = lambda mask: None,
) -> Exported:
    boxes: dict[rectangles.Scanner, rectangles.Box] = {}
    done = Exported(file)
    with whole_lone_file(file) as part:
        for mask in track(masks, len(masks), "masks", progress):
            try:
                scanner = rectangles.scanner_of(mask)
            except LeftOut as error:
                done.left_out[str(error)] += 1
                continue
            boxes[scanner] = rectangles.joined_box(boxes.get(scanner), mask)
            done.written += 1
            why = drawback(mask)
            if why is not None:
                done.noted[why] += 1
        if not boxes:
            raise ValueError(
                f"none of {len(masks)} masks gives a rule ({said(done.left_out)}); expected DICOM clips "
                "where `masks` found them: name their folder by --moved-to if it is elsewhere now."
            )
        write(boxes, part)
    return done


def _by_name(folder: Path) -> Iterator[Entry]:
    found: dict[str, Entry] = {}
    for entry in read_entries(folder):
        if ".." in Path(entry.source).parts or Path(entry.source).is_absolute():
            raise ValueError(
                f"the manifest in {folder} names a clip outside the folder of its clips; expected none, "
                "as masks are exported under such names: is it the one that `sectoraug masks` wrote?"
            )
        before = found.get(entry.source)
        if before is not None and _both_there(before, entry):
            raise ValueError(
                "two clips in the manifest have one name; expected a name each, as masks are exported under "
                "them: run `sectoraug masks` on the folder above both."
            )
        found[entry.source] = entry
    yield from found.values()


def _both_there(one: Entry, other: Entry) -> bool:
    if one.path is None or other.path is None or one.path == other.path or one.sha256 == other.sha256:
        return False
    return Path(one.path).exists() and Path(other.path).exists()


def _place_of(entry: Entry, moved_to: Sequence[Path]) -> Path | None:
    places = [*([Path(entry.path)] if entry.path else []), *(top / entry.source for top in moved_to)]
    there = (place for place in places if place.exists())
    return next((place for place in there if is_unchanged(place, entry.visit, entry.sha256)), None)


def said(left_out: Counter[str]) -> str:
    """How many for which reason, in a row."""
    return ", ".join(f"{n} {why}" for why, n in left_out.most_common())
