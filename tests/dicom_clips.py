"""DICOM clips of made-up patients, in the encodings that ultrasound comes in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

NAME = "Invented^Patient"


def make_dicom(path: Path, frames: np.ndarray, photometric: str = "MONOCHROME2", **more: Any) -> Path:
    """Write (T, H, W[, 3]) uint8 as an ultrasound multi-frame image; `more` sets or, by None, deletes.

    For "PALETTE COLOR" the frames are indices into `palette_table`; "YBR_FULL_422" is JPEG Baseline.
    """
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.PatientName, data.PatientID = "US", NAME, "0000"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape[:3]
    data.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if frames.ndim == 4:
        data.PlanarConfiguration = 0
    if photometric == "PALETTE COLOR":
        for colour, column in zip(("Red", "Green", "Blue"), palette_table().T, strict=True):
            setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = (column.astype("<u2") << 8).tobytes()
            setattr(data, f"{colour}PaletteColorLookupTableData", table)
    if photometric == "YBR_FULL_422":
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        data.PixelData = encapsulate([_jpeg(frame) for frame in frames])
        data["PixelData"].is_undefined_length = True
        data.LossyImageCompression = "01"
    else:
        data.PixelData = frames.tobytes() + b"\0" * (frames.nbytes % 2)
    for keyword, value in more.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    dcmwrite(path, data, enforce_file_format=True)
    return path


def palette_table() -> np.ndarray:
    """(256, 3) uint8: red rises with the index, green falls."""
    levels = np.arange(256, dtype=np.uint8)
    return np.stack([levels, 255 - levels, levels // 2], 1)


def _jpeg(frame: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=90, subsampling="4:2:2")
    return stream.getvalue()
