"""What commands print: nothing that libraries quote of a header."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("typer")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("av")
pytest.importorskip("nibabel")
pytest.importorskip("filelock")
from copied_clips import SECTOR, WHITE, keep_mask  # noqa: E402
from dicom_clips import make_dicom  # noqa: E402
from review_masks import sectoraug  # noqa: E402


def test_a_header_that_makes_libraries_warn_is_not_quoted(tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", WHITE, SpecificCharacterSet="DOE^JANE", SOPClassUID="1.2.DOE")
    masks = keep_mask(tmp_path / "masks", clip, SECTOR)
    done = sectoraug("pool", masks, clip, "--out", tmp_path / "pool", "--size", 32, 32, "--no-progress")
    assert "backgrounds" in done.stdout
    assert "DOE" not in done.stdout + done.stderr
