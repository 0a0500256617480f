"""Models, layers and arguments that GradCAM refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_nets import cam_of
from torch import Tensor, nn

import sectoraug as sa


class Odd(nn.Module):
    """A model that gives its scores in some other way."""

    def __init__(self, model: nn.Module, change: Any) -> None:
        super().__init__()
        self.net, self.change = model, change

    def forward(self, images: Tensor) -> Any:
        return self.change(self.net, images)


@pytest.mark.parametrize(
    ("layer", "kind", "sentence"),
    [
        ("blok", ValueError, r"layer is 'blok'.*a name like 'block'"),
        ("net.block", ValueError, r"layer is 'net.block'.*'block'"),
        ("zzzz", ValueError, r"a name like 'stem', 'norm', 'block'"),
        ("", ValueError, "layer is ''"),
        (nn.ReLU(), ValueError, r"layer is a torch.ReLU that the model does not contain"),
        (3, TypeError, "layer is an int; expected a module or its dotted name"),
        ("unused", ValueError, "'unused' did not run in the forward pass"),
        ("head", ValueError, r"'head' returns a torch.Tensor of shape \(6, 4\); expected a \(B, C, h, w\)"),
    ],
)
def test_bad_layers(watched: nn.Module, images: Tensor, layer: Any, kind: Any, sentence: str) -> None:
    with pytest.raises(kind, match=sentence) as raised:
        cam_of(watched, layer, images)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda net, x: (net(x), x), r"the model returns a tuple for 6 images; expected \(B, K\)"),
        (lambda net, x: {"logits": net(x)}, "the model returns a dict"),
        (lambda net, x: net(x)[:, 0], r"the model returns a torch.Tensor of shape \(6,\)"),
        (lambda net, x: net(x)[:3], r"of shape \(3, 4\) for 6 images"),
        (lambda net, x: net(x).detach(), "do not depend on layer 'net.block'"),
        (lambda net, x: (net(x), net.head(x.new_ones(6, 8)))[1], "do not depend on layer 'net.block'"),
        (lambda net, x: net(x) + net(x), "'net.block' runs more than once"),
        (lambda net, x: net.head(x.new_ones(6, 8)), "'net.block' did not run"),
    ],
)
def test_bad_models(watched: nn.Module, images: Tensor, change: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cam_of(Odd(watched, change), "net.block", images)


@pytest.mark.parametrize(
    ("change", "target", "kind", "sentence"),
    [
        (lambda x: x.numpy(), None, TypeError, "images is a numpy.ndarray|images is a float32 array"),
        (lambda x: (255 * x).to(torch.uint8), None, TypeError, "torch.uint8; expected a .* float tensor"),
        (lambda x: x[0], None, ValueError, r"use images\[None\]"),
        (lambda x: x[:0], None, ValueError, r"of shape \(0, 1, 32, 40\)"),
        (lambda x: x[:, :, None], None, ValueError, "video models are not supported"),
        (None, 4, ValueError, "target has classes outside 0..3"),
        (None, -1, ValueError, "target has classes outside 0..3"),
        (None, True, TypeError, "target is a bool"),
        (None, [0] * 6, TypeError, "use torch.as_tensor"),
        (None, torch.zeros(6), TypeError, "integer tensor"),
        (None, torch.zeros(5, dtype=torch.long), ValueError, r"of shape \(5,\) for 6 images"),
    ],
)
def test_bad_arguments(
    watched: nn.Module, images: Tensor, change: Any, target: Any, kind: Any, sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as raised:
        cam_of(watched, "block", images if change is None else change(images), target)
    assert str(raised.value).endswith(".")


def test_the_with_block_is_needed(model: nn.Module, images: Tensor) -> None:
    gradcam = sa.GradCAM(model, "block")
    with pytest.raises(RuntimeError, match="outside of its with-block"):
        gradcam(images)
    for _ in range(2):  # closed, it may be opened again
        with gradcam:
            gradcam(images)
            with pytest.raises(RuntimeError, match="open already"):
                gradcam.__enter__()
    with pytest.raises(TypeError, match="model is a function"):
        sa.GradCAM(lambda x: x, "block")  # type: ignore[arg-type]
