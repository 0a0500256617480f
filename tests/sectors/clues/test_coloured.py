"""Strokes of a colour on grey echoes."""

from __future__ import annotations

import cv2
import numpy as np

from sectoraug.sectors.clues.coloured import coloured_strokes
from sectoraug.sectors.clues.net import seen_by_net

SIZE = (240, 320)
YELLOW, RED = (240, 230, 40), (220, 40, 20)


def echoes() -> np.ndarray:
    """(H, W, 3), grey."""
    grey = np.random.default_rng(0).integers(0, 200, SIZE, dtype=np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def with_caliper(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """And where what is added is clearly coloured."""
    drawn = picture.copy()
    cv2.drawMarker(drawn, (60, 60), YELLOW, cv2.MARKER_CROSS, 9)
    cv2.putText(drawn, "1", (66, 58), cv2.FONT_HERSHEY_PLAIN, 0.8, YELLOW)
    return drawn, (drawn != picture).any(2) & (np.ptp(drawn, 2) > 48)


def test_yellow_calipers_are_found_and_counted_as_overlay() -> None:
    drawn, where = with_caliper(echoes())
    np.testing.assert_array_equal(coloured_strokes(drawn), where)
    assert (seen_by_net(drawn).overlay[where] == 1).all()
    assert not coloured_strokes(drawn[..., 0]).any()
    assert not coloured_strokes(echoes()).any()


def test_flow_is_no_stroke_and_hides_those_beside_it() -> None:
    flow = echoes()
    cv2.circle(flow, (220, 150), 20, RED, -1)
    cv2.line(flow, (220, 150), (246, 150), RED, 2)  # a small vessel
    assert not coloured_strokes(flow).any()
    drawn, where = with_caliper(flow)
    np.testing.assert_array_equal(coloured_strokes(drawn), where)


def test_tinted_pictures_tell_nothing() -> None:
    tinted = (echoes() * np.array([1, 0.8, 0.5])).astype(np.uint8)
    assert not coloured_strokes(with_caliper(tinted)[0]).any()
