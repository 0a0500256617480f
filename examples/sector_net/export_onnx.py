"""Export the sector networks to ONNX.

    python examples/sector_net/export_onnx.py                 # the package's graphs, after a network changed
    python examples/sector_net/export_onnx.py --out FOLDER    # the same to use anywhere, the weights inside

The package's graphs are small: their weights are external data, which stays in the .safetensors files beside
them, in float16, and is cast when a graph is loaded. So new weights of the same shapes need no new graph.

A network takes `planes` (B, 2, 256, 256) float32, as `sectoraug.sectors.clues.net.planes` makes them of
frames squeezed to squares, and gives logits: `inside` and `overlay` (B, 1, 256, 256), and `single` (B,).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import onnx
import torch
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import nn

import sectoraug.sectors.clues.net_torch as net_torch
from sectoraug.sectors.clues.net import SIDE_PX
from sectoraug.sectors.clues.net_model import SectorNet
from sectoraug.sectors.clues.net_overlay import OverlayNet

CLUES = Path(net_torch.__file__).parent
NETWORKS = {
    net_torch.WEIGHTS: (SectorNet, ["inside", "overlay", "single"]),
    net_torch.OVERLAY_WEIGHTS: (OverlayNet, ["overlay"]),
}


def graph_of(model: nn.Module, outputs: list[str]) -> onnx.ModelProto:
    """A network for batches of any size, its weights named as in torch."""
    program = torch.onnx.export(
        model,
        (torch.zeros(2, 2, SIDE_PX, SIDE_PX),),
        input_names=["planes"],
        output_names=outputs,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        optimize=False,  # it would fold normalisations into weights, which no file holds then
        verbose=False,
    )
    fold_constants(program.model)
    remove_unused_nodes(program.model)
    model_proto = program.model_proto
    graph = model_proto.graph
    for part in (model_proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]  # lines of code and where they lie
    return model_proto


def point_into(graph: onnx.ModelProto, weights: Path) -> None:
    """Replace a graph's weights by places in a .safetensors file: the header's length, it, then the bytes."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        places = json.loads(file.read(length))
    casts = []
    for tensor in graph.graph.initializer:
        if tensor.name not in places:
            continue
        place, name = places[tensor.name], tensor.name
        assert place["dtype"] == "F16" and place["shape"] == list(tensor.dims), name
        first, last = place["data_offsets"]
        tensor.ClearField("raw_data")
        tensor.name, tensor.data_type = f"{name}.half", onnx.TensorProto.FLOAT16
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", weights.name),
            ("offset", 8 + length + first),
            ("length", last - first),
        ):
            tensor.external_data.add(key=key, value=str(value))
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    after = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(after)


def write_graph(weights: Path, model: nn.Module, outputs: list[str]) -> None:
    """Beside the weights, called like them."""
    graph = graph_of(model, outputs)
    point_into(graph, weights)
    weights.with_suffix(".onnx").write_bytes(graph.SerializeToString(deterministic=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, help="for files with the weights inside; the package stays as it is"
    )
    out = parser.parse_args().out
    for name, (model, outputs) in NETWORKS.items():
        if out is None:
            write_graph(CLUES / name, net_torch.as_trained(model(), name), outputs)
        else:
            out.mkdir(parents=True, exist_ok=True)
            path = (CLUES / name).with_suffix(".onnx")
            onnx.save(onnx.load(path), out / path.name)  # loading reads the external data


if __name__ == "__main__":
    main()
