"""Which DICOM image a mask was made on, so that it is never laid over another one."""

from __future__ import annotations

from pathlib import Path

from sectoraug.reading.clips import is_dicom


def instance_uid(clip: Path | None) -> str | None:
    """A DICOM clip's SOP Instance UID; None for other clips and for one that is gone."""
    if clip is None or not clip.is_file() or not is_dicom(clip):
        return None
    from sectoraug.reading.dicom import read_header

    uid = read_header(clip).get("SOPInstanceUID")
    return str(uid) if uid else None


def must_be_of(uid: str, path: Path, clip: Path) -> None:
    """Raise ValueError where a mask names another image than the clip."""
    own = instance_uid(clip)
    if uid and own and uid != own:
        raise ValueError(
            f"{path} was made on another DICOM image (SOP Instance UID); expected a mask of this clip: are "
            "two masks swapped? A copy with a new UID needs its mask as PNG or NIfTI."
        )
