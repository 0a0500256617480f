"""A clip read once, in parts: where the picture changes to another one, a part ends.

Flash and blank frames, title screens and changes of depth or zoom are parts of their own; what comes back
to a picture that was there before goes on with that one's part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.reading.clips import to_grey
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.forks import keep_to_own_thread

_SAMPLES = 8
_COARSE_PX = 32  # side of the picture in which changes are looked for: speckle is finer
_ALIKE = 0.8  # correlation of coarse pictures: .89 or more within phantoms, .71 or less where depth changes
_FLAT = 2.0  # grey levels of deviation under which a picture shows nothing
_MOST_PARTS = 4  # a clip of more has no parts worth telling apart

Grey = NDArray[np.uint8]


class Part:
    """Sums over frames that show one picture; their size does not depend on their number."""

    def __init__(self, number: int, grey: Grey, frame: Any) -> None:
        self.runs: list[list[int]] = []
        """First and last number of the frames that follow each other."""
        self.frames = 0
        self.changes = 0
        self.total, self.difference = np.zeros(grey.shape, np.float32), np.zeros(grey.shape, np.float32)
        self.brightest, self.previous = grey.copy(), grey.copy()
        self.samples: list[tuple[int, Grey, Grey]] = [(number, self.previous, np.array(frame))]
        self._apart = np.empty_like(grey)
        self._stride = 1
        self._add(number, grey)

    def follow(self, number: int, grey: Grey, frame: Any) -> None:
        """Take the frame that comes next in this part."""
        cv2.absdiff(grey, self.previous, dst=self._apart)
        cv2.accumulate(self._apart, self.difference)
        cv2.max(self.brightest, grey, dst=self.brightest)
        if self.frames % self._stride == 0:
            self.samples.append((number, self.previous, np.array(frame)))
            if len(self.samples) > _SAMPLES:
                self.samples, self._stride = self.samples[::2], 2 * self._stride
        self.changes += 1
        # A caller may reuse the memory of its frames.
        self.previous = grey.copy() if np.may_share_memory(grey, frame) else grey
        self._add(number, grey)

    def _add(self, number: int, grey: Grey) -> None:
        cv2.accumulate(grey, self.total)
        self.frames += 1
        if self.runs and self.runs[-1][1] == number - 1:
            self.runs[-1][1] = number
        else:
            self.runs.append([number, number])

    def absorb(self, other: Part) -> None:
        """Take all of another part."""
        self.runs = sorted([*self.runs, *other.runs])
        cv2.absdiff(self.previous, other.previous, dst=self._apart)
        cv2.accumulate(self._apart, self.difference)
        self.difference += other.difference
        self.total += other.total
        cv2.max(self.brightest, other.brightest, dst=self.brightest)
        self.frames += other.frames
        self.changes += other.changes + 1
        both = sorted((*self.samples, *other.samples), key=lambda sample: sample[0])
        self.samples = both[:: -(-len(both) // _SAMPLES)]
        self._stride = max(self._stride, other._stride) * 2
        self.previous = other.previous

    def statistics(self) -> ClipStatistics:
        """These sums as those of a clip."""
        return ClipStatistics(
            self.frames,
            np.asarray(self.difference / max(self.changes, 1), np.float32),
            np.asarray(self.total / self.frames, np.float32),
            self.brightest,
            tuple((before, frame) for _, before, frame in self.samples),
        )


def clip_parts(frames: Iterable[Any], *, most: int = _MOST_PARTS) -> list[Part]:
    """Read a clip once, frame by frame; one part if there would be more than `most`.

    Args:
        frames: (T, H, W) or (T, H, W, 3) uint8, or any iterable of (H, W) or (H, W, 3) uint8 frames.

    Raises:
        TypeError, ValueError: a frame is no uint8 image, or not as large as the first; no frames.
    """
    if not isinstance(frames, Iterable) or (isinstance(frames, np.ndarray) and frames.ndim < 3):
        kind = ValueError if isinstance(frames, np.ndarray) else TypeError
        raise kind(
            f"frames is {checks.describe(frames)}; expected a clip (T, H, W) or (T, H, W, 3): "
            "use sector_from_image for a still."
        )
    keep_to_own_thread()
    parts: list[Part] = []
    seen: list[NDArray[np.float32]] = []  # the last coarse picture of each part
    at = 0
    for number, frame in enumerate(map(_picture, frames)):
        grey = np.ascontiguousarray(to_grey(frame))  # OpenCV writes into nothing else
        if parts and grey.shape != parts[0].brightest.shape:
            height, width = parts[0].brightest.shape
            raise ValueError(
                f"frame {number} is {checks.describe(frame)} after frames of {height} x {width} pixels; "
                "expected one size: split the clip where it changes."
            )
        if most > 1:
            coarse = _coarse(grey)
            at = max(range(len(parts)), key=lambda k: _likeness(coarse, seen[k]), default=0)
            if not parts or _likeness(coarse, seen[at]) < _ALIKE:
                at = len(parts)
                seen.append(coarse)
            seen[at] = coarse
        if at < len(parts):
            parts[at].follow(number, grey, frame)
        else:
            parts.append(Part(number, grey, frame))
        if len(parts) > most:
            for other in parts[1:]:
                parts[0].absorb(other)
            parts, most, at = parts[:1], 1, 0
    if not parts:
        raise ValueError("frames is empty; expected one frame or more: was the clip decoded?")
    return parts


def clip_statistics(frames: Iterable[Any]) -> ClipStatistics:
    """The statistics of a whole clip; arguments and errors are those of `clip_parts`."""
    return clip_parts(frames, most=1)[0].statistics()


def mean_absolute_difference(frames: Iterable[Any]) -> NDArray[np.float32]:
    """Mean of |frame t+1 - frame t| over a clip, in grey levels: (H, W) float32.

    Absolute, since the mean of signed differences is only (last - first) / (T - 1).

    Args:
        frames: as for `clip_statistics`, T >= 2.

    Raises:
        ValueError: there is only one frame.
    """
    statistics = clip_statistics(frames)
    if statistics.frames < 2:
        raise ValueError("frames holds one frame; expected two or more: a still has no motion.")
    return statistics.difference


def _coarse(grey: Grey) -> NDArray[np.float32]:
    """The picture at a glance, of mean 0 and length 1; all 0 where it is flat."""
    small = cv2.resize(grey, (_COARSE_PX, _COARSE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    deviation = float(np.sqrt((small * small).mean()))
    return np.asarray(small / (deviation * _COARSE_PX) if deviation >= _FLAT else small * 0, np.float32)


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The correlation of two pictures at a glance; 1 for two flat ones."""
    if not one.any() and not other.any():
        return 1.0
    return float((one * other).sum())


def _picture(frame: Any) -> NDArray[np.uint8]:
    """The frame, checked, (H, W) or (H, W, 3)."""
    checks.picture(frame, "frame")
    if frame.dtype != np.uint8:
        raise TypeError(
            f"frame is {checks.describe(frame)}; expected uint8: scale it to 0..255 and use "
            "frame.astype(np.uint8)."
        )
    return np.asarray(frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame)
