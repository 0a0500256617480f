"""What a GradCAM costs beside the forward pass that an evaluation makes anyway, on ResNet18.

    python benchmarks/bench_gradcam.py [--quick] [--write]

One thread, batches of 16, the CAM of the argmax class at layer4. All contestants run after one another
in each round, and a ratio is taken within its round.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from timing import interleaved, spread, write
from torchvision.models import resnet18

import sectoraug as sa

BATCH = 16
SIZES = [(1, 112, 112), (3, 224, 224)]


def bench_size(shape: tuple[int, int, int], rounds: int, seconds: float) -> dict[str, Any]:
    """Ratios to the forward pass without gradients."""
    torch.manual_seed(0)
    model = resnet18(num_classes=4)
    model.conv1 = torch.nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
    model.eval()
    images = torch.rand(BATCH, *shape)

    def forward() -> None:
        with torch.no_grad():
            model(images)

    with sa.GradCAM(model, "layer4") as gradcam:
        contestants: dict[str, Callable[[], Any]] = {
            "forward pass, no_grad": forward,
            "forward pass, with graph": lambda: model(images),
            "sectoraug GradCAM": lambda: gradcam(images),
        }
        try:
            from captum.attr import LayerGradCam
        except ImportError:
            print("captum is not installed: its row is left out")
        else:
            oracle = LayerGradCam(model, model.layer4)
            # captum wants the class beforehand, so that a forward pass comes before its own.
            contestants["captum LayerGradCam, target given"] = lambda: oracle.attribute(images, target=0)
        times = interleaved(contestants, rounds, seconds)
    base = times["forward pass, no_grad"]
    return {
        f"{name}, x forward pass": spread(values / base)
        for name, values in times.items()
        if values is not base
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; no numbers to quote"
    )
    parser.add_argument("--write", action="store_true", help="keep the result in results/gradcam.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rounds, seconds = (2, 0.01) if arguments.quick else (25, 0.1)

    result: dict[str, Any] = {}
    for shape in SIZES:
        name = f"ResNet18, {BATCH}x{'x'.join(map(str, shape))}, layer4"
        result[name] = bench_size(shape, rounds, seconds)
        print(f"\n{name}")
        for row, value in result[name].items():
            print(f"  {row:52} {value['median']:8.2f}  [{value['q1']:.2f}, {value['q3']:.2f}]")
    if arguments.write:
        print("\nwritten to", write("gradcam", {"results": result}))


if __name__ == "__main__":
    main()
