"""DICOM SEG through highdicom: one binary segment in one frame, which refers to its whole clip.

A clip has no frame of reference, and highdicom then takes stills only. The mask is static: it is made as if
on a still, and the kind of what it refers to is then put right. A reference that names no frames is to all of
them (PS3.3, table 10-3); highdicom reads no other to several.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import __version__
from sectoraug.reading.deflated import check_deflated
from sectoraug.reading.sizes import TooLarge, check_size
from sectoraug.workbench.formats.clip_mask import ClipMask, LeftOut, only_sector
from sectoraug.workbench.formats.instance import must_be_of

SUFFIX = ".seg.dcm"
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_MAY_BE_EMPTY = (  # what every DICOM image has, and highdicom copies
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
_STILL = "1.2.840.10008.5.1.4.1.1.6.1"
_SERIES = 7000  # added to the clip's series number


def write(mask: ClipMask, part: Path) -> None:
    """Write a SEG under the clip's patient and study. Raises LeftOut for what is no whole DICOM clip."""
    highdicom = _highdicom()
    source = mask.header
    if not all(source.get(keyword) for keyword in _NEEDED):
        raise LeftOut("without the UIDs of study, series or image")
    kind = source.SOPClassUID
    segment = _segment(highdicom, mask.drawn)
    _as_still(source)
    try:
        seg = highdicom.seg.Segmentation(
            [source],
            mask.sector[None].astype(bool),
            highdicom.seg.SegmentationTypeValues.BINARY,
            [segment],
            series_instance_uid=highdicom.UID(),
            series_number=int(source.get("SeriesNumber") or 0) + _SERIES,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="sectoraug",
            manufacturer_model_name="sectoraug",
            software_versions=__version__,
            device_serial_number="0",
            series_description="Ultrasound sector",
        )
    except (ValueError, TypeError, AttributeError) as error:  # their words quote the header
        raise LeftOut(f"a header that no SEG can be made of ({type(error).__name__})") from error
    seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPClassUID = kind
    image = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    image.ReferencedSOPClassUID = kind
    seg.PatientOrientation = source.get("PatientOrientation") or ""
    content = BytesIO()
    seg.save_as(content)
    part.write_bytes(content.getvalue())


def read(path: Path, clip: Path) -> NDArray[np.uint8]:
    """The only segment as (H, W) uint8 of 0/1, alike in all of its frames."""
    try:
        from pydicom import dcmread
    except ImportError as error:
        raise ImportError('DICOM SEG needs pydicom 3: pip install "sectoraug[dicom]".') from error
    try:
        check_deflated(path)
        seg = dcmread(path)
        check_size(path, int(seg.get("Rows") or 0), int(seg.get("Columns") or 0))
        is_seg, segments = seg.SOPClassUID == _SEGMENTATION, len(seg.get("SegmentSequence") or ())
        pixels = seg.pixel_array if is_seg else None
    except (FileNotFoundError, TooLarge):
        raise
    except Exception as error:  # a damaged file can raise anything, and its words may quote the header
        raise OSError(
            f"{path} is no readable DICOM SEG ({type(error).__name__}); expected a segmentation: export it "
            "again."
        ) from error
    if pixels is None:
        raise ValueError(f"{path} is DICOM but no SEG; expected a segmentation: export one, or a PNG.")
    if segments != 1:
        raise ValueError(
            f"{path} holds {segments} segments; expected one sector for a clip: keep its segment alone."
        )
    for uid in _referenced(seg):
        must_be_of(uid, path, clip)
    return only_sector(pixels.reshape(-1, *pixels.shape[-2:]), path)


def _as_still(source: Any) -> None:
    source.SOPClassUID = _STILL
    for keyword in ("NumberOfFrames", "FrameOfReferenceUID"):
        if keyword in source:
            del source[keyword]
    for keyword in _MAY_BE_EMPTY:
        if keyword not in source:
            setattr(source, keyword, "")


def _segment(highdicom: Any, drawn: bool) -> Any:
    from pydicom.sr.codedict import codes

    kinds = highdicom.seg.SegmentAlgorithmTypeValues
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="sectoraug", family=codes.cid7162.ArtificialIntelligence, version=__version__
    )
    return highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="sector",
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        # no standard code names what a probe sees
        segmented_property_type=highdicom.sr.CodedConcept("sector", "99SECTORAUG", "Ultrasound sector"),
        algorithm_type=kinds.MANUAL if drawn else kinds.AUTOMATIC,
        algorithm_identification=None if drawn else algorithm,
    )


def _referenced(seg: Any) -> set[str]:
    return {
        str(instance.ReferencedSOPInstanceUID)
        for series in seg.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    }


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError as error:
        raise ImportError('DICOM SEG needs highdicom: pip install "sectoraug[seg]".') from error
    return highdicom
