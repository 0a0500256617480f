"""What tests of this folder are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_command import N_CLIPS, make_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("clips"), N_CLIPS)
