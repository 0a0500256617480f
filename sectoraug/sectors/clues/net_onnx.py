"""The networks that come with the package, computed by onnxruntime.

The graphs hold no weights: they point into the .safetensors files beside them
(`examples/sector_net/export_onnx.py`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

try:
    import onnxruntime
except ImportError as error:
    raise ImportError('the engine "onnx" needs onnxruntime: pip install "sectoraug[onnx]".') from error


def sector_logits(seen: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """As of `net.Engine`."""
    inside, single = _answered("sector_net.onnx", ["inside", "single"], seen)
    return inside[0, 0], float(single[0])


def overlay_logits(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """As of `net.Engine`."""
    (overlay,) = _answered("overlay_net.onnx", ["overlay"], seen)
    return np.asarray(overlay[0, 0], np.float32)


def _answered(graph: str, outputs: list[str], seen: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    answer: list[NDArray[np.float32]] = _session(graph).run(outputs, {"planes": seen})
    return answer


@cache
def _session(graph: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # The caller's thread alone: others spin while they wait, crowd where processes share the cores, and do
    # not survive a fork.
    options.intra_op_num_threads = 1
    # The folder, as the weights lie beside the graph.
    with as_file(files("sectoraug.sectors.clues")) as folder:
        return onnxruntime.InferenceSession(folder / graph, options, providers=["CPUExecutionProvider"])
