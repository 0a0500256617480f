"""DICOM clips of made-up patients, in the encodings that ultrasound comes in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

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


def as_422(frames: np.ndarray) -> bytes:
    """Uncompressed 4:2:2: for each two pixels Y, Y, Cb, Cr; colours of the left one."""
    ybr = np.stack([convert_color_space(frame, "RGB", "YBR_FULL") for frame in frames])
    luminance = ybr[..., 0].reshape(*ybr.shape[:2], -1, 2)
    return np.concatenate([luminance, ybr[:, :, ::2, 1:]], -1).astype(np.uint8).tobytes()


def without_preamble(path: Path, implicit: bool, little: bool = True) -> Path:
    """Write a file again as the oldest archives do: the data set alone."""
    with DicomBytesIO() as stream:
        stream.is_implicit_VR, stream.is_little_endian = implicit, little
        data = Dataset()
        for element in dcmread(path):
            data.add(element)
        write_dataset(stream, data)
        path.write_bytes(stream.getvalue())
    return path


def eight_bit_palette(path: Path, indices: np.ndarray, order: str) -> Path:
    """8-bit colours stored in 16-bit entries of a palette, in the byte order "<u2" or ">u2"."""
    make_dicom(path, indices, "PALETTE COLOR")
    data = dcmread(path)
    for colour, column in zip(("Red", "Green", "Blue"), palette_table().T, strict=True):
        setattr(data, f"{colour}PaletteColorLookupTableData", column.astype(order).tobytes())
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if order == "<u2" else ExplicitVRBigEndian
    dcmwrite(path, data, implicit_vr=False, little_endian=order == "<u2", enforce_file_format=True)
    return path
