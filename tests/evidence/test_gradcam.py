"""GradCAM agrees with captum's and with a case done by hand, and leaves the model as it was."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from small_nets import cam_of, hooks
from torch import Tensor, nn
from torch.nn import functional

import sectoraug as sa


def test_by_hand() -> None:
    """Score = 3 a + (-1) b with two channels averaged over 2 x 2: weights 3/4 and -1/4."""
    model = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1, bias=False))
    model[3].weight.data = torch.tensor([[3.0, -1.0]])
    a, b = torch.tensor([[4.0, 2.0], [1.0, 0.0]]), torch.tensor([[0.0, 6.0], [1.0, 5.0]])
    cam = cam_of(model, "0", torch.stack([a, b])[None])
    # 3a - b = 12, 0, 2, -5; ReLU; / 12
    assert torch.allclose(cam, torch.tensor([[[1.0, 0.0], [2 / 12, 0.0]]]))


def test_result(model: nn.Module, images: Tensor) -> None:
    with sa.GradCAM(model, "block") as gradcam:
        cam = gradcam(images)
    assert cam.shape == (6, 32, 40)
    assert cam.dtype == torch.float32
    assert not cam.requires_grad
    assert cam.min() >= 0
    assert cam.max() <= 1
    assert gradcam.layer == "block"
    assert gradcam.grid == (16, 20)
    assert torch.equal(gradcam.scores, model(images).detach())
    assert torch.equal(gradcam.target, model(images).argmax(1))


@pytest.mark.parametrize("layer", ["stem", "norm", "block", "block.0", "block.1"])
@pytest.mark.parametrize("target", [0, 3, torch.tensor([0, 1, 2, 3, 0, 1])])
def test_captum_agrees(model: nn.Module, images: Tensor, layer: str, target: Any) -> None:
    captum = pytest.importorskip("captum.attr")
    # captum hooks the tensor itself, which an in-place ReLU overwrites: it gets a copy without one.
    reference = copy.deepcopy(model)
    reference.relu, reference.block[1] = nn.ReLU(), nn.ReLU()
    oracle = captum.LayerGradCam(reference, reference.get_submodule(layer))
    cam = oracle.attribute(images, target=target).detach().relu()
    cam = cam / cam.amax((2, 3), keepdim=True).masked_fill(cam.amax((2, 3), keepdim=True) == 0, torch.nan)
    expected = functional.interpolate(cam, size=images.shape[2:], mode="bilinear")[:, 0]
    assert torch.allclose(cam_of(model, layer, images, target), expected, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "layer"), [("resnet18", "layer4"), ("densenet121", "features.norm5"), ("vgg11", "features.18")]
)
def test_captum_agrees_on_torchvision(name: str, layer: str) -> None:
    """densenet and vgg apply an in-place ReLU to the layer's output."""
    captum, models = pytest.importorskip("captum.attr"), pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    model = models.get_model(name, weights=None).eval()
    images = torch.rand(2, 3, 64, 64)
    cam = cam_of(model, layer, images, 5)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    if name == "densenet121":
        model.forward = lambda x: model.classifier(model.features(x).relu().mean((2, 3)))
    expected = captum.LayerGradCam(model, model.get_submodule(layer)).attribute(images, target=5).detach()
    expected = expected.relu() / expected.relu().amax((2, 3), keepdim=True)  # 0 / 0 is NaN, as ours
    expected = functional.interpolate(expected, size=(64, 64), mode="bilinear")[:, 0]
    assert not cam[0].isnan().any()
    assert torch.allclose(cam, expected, atol=1e-4, equal_nan=True)


def test_targets(model: nn.Module, images: Tensor) -> None:
    argmax = model(images).argmax(1)
    assert torch.equal(cam_of(model, "block", images), cam_of(model, "block", images, argmax))
    constant = torch.full((6,), 2, dtype=torch.uint8)
    twos = cam_of(model, "block", images, 2)
    assert torch.equal(twos.nan_to_num(-1), cam_of(model, "block", images, constant).nan_to_num(-1))
    assert not torch.equal(twos.nan_to_num(-1), cam_of(model, "block", images, 1).nan_to_num(-1))


def test_a_batch_is_its_images(model: nn.Module, images: Tensor) -> None:
    one_by_one = torch.cat([cam_of(model, "block", image[None]) for image in images])
    assert torch.allclose(cam_of(model, "block", images), one_by_one, atol=1e-5, equal_nan=True)


def test_layer_by_module_or_name(model: nn.Module, images: Tensor) -> None:
    by_name, by_module = cam_of(model, "block", images), cam_of(model, model.block, images)
    assert torch.equal(by_name, by_module)
    assert sa.GradCAM(model, model.block[0]).layer == "block.0"
    model.alias = model.block
    assert torch.equal(cam_of(model, "alias", images), by_name)


def test_dead_cams_are_nan(images: Tensor) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2, bias=False)
    )
    model[0].weight.data.fill_(1)
    model[3].weight.data = torch.tensor([[1.0], [-1.0]])
    cam = cam_of(model, "0", images, torch.tensor([0, 1, 0, 1, 0, 0]))
    assert cam.isnan().flatten(1).all(1).tolist() == [False, True, False, True, False, False]
    assert not cam[::2].isnan().any()
    images = images.clone()
    images[2, 0, 0, 0] = torch.inf
    cam = cam_of(model, "0", images, 0)
    assert cam.isnan().flatten(1).all(1).tolist() == [False, False, True, False, False, False]


def test_the_model_is_left_alone(watched: nn.Module, images: Tensor) -> None:
    before = images.clone()
    with sa.GradCAM(watched, "block") as gradcam:
        assert hooks(watched) == 1
        gradcam(images)
        gradcam(images, 1)
        assert not watched.training
        scores = watched(images)  # outside a call the hook does nothing
        (gradient,) = torch.autograd.grad(scores.sum(), watched.stem.weight)
        assert gradient.abs().sum() > 0
    assert torch.equal(images, before)
    assert gradcam._activations == {}


def test_the_hook_goes_after_an_exception(watched: nn.Module, images: Tensor) -> None:
    with pytest.raises(ZeroDivisionError), sa.GradCAM(watched, "block") as gradcam:
        gradcam(images)
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="outside 0..3"), sa.GradCAM(watched, "block") as gradcam:
        gradcam(images, 4)
    assert gradcam._activations == {}
    with pytest.raises(RuntimeError), sa.GradCAM(watched, "block") as gradcam:
        gradcam(images.expand(-1, 2, -1, -1))  # the model's own error


def test_training_mode_stays(model: nn.Module, images: Tensor) -> None:
    model.train()
    model.norm.eval()
    cam_of(model, "block", images)
    assert model.training
    assert not model.norm.training


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_off(watched: nn.Module, images: Tensor, around: Any, frozen: bool) -> None:
    expected = cam_of(watched, "block", images)
    watched.requires_grad_(not frozen)
    with around():
        cam = cam_of(watched, "block", images * 1)
    watched.requires_grad_(True)
    assert torch.equal(cam, expected)


def test_a_part_without_gradients(model: nn.Module, images: Tensor) -> None:
    """Fine-tuning code often runs its frozen backbone under no_grad."""

    class Tuned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.backbone = model.stem, model.block
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.head)

        def forward(self, images: Tensor) -> Tensor:
            x = self.stem(images)
            with torch.no_grad():
                features = self.backbone(x)
            return self.head(features)

    plain = nn.Sequential(model.stem, model.block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.head)
    expected = cam_of(plain, "1", images)
    for around in (nullcontext, torch.no_grad, torch.inference_mode):
        with around():
            cam = cam_of(Tuned(), "backbone", images * 1)
        assert torch.equal(cam.nan_to_num(-1), expected.nan_to_num(-1))


def test_the_layers_output_may_be_overwritten(model: nn.Module, images: Tensor) -> None:
    """The CAM is of the values that the layer returned, whatever becomes of their memory."""

    class Overwriting(nn.Module):
        def __init__(self, overwrite: bool) -> None:
            super().__init__()
            self.stem, self.same, self.head = model.stem, nn.Identity(), model.head
            self.overwrite = overwrite

        def forward(self, images: Tensor) -> Tensor:
            x = self.stem(images)
            scores = self.head(self.same(x).mean((2, 3)))
            if self.overwrite:
                x.zero_()
            return scores

    expected = cam_of(Overwriting(False), "same", images, 1)
    assert torch.equal(cam_of(Overwriting(True), "same", images, 1), expected)
    assert not expected.isnan().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(model: nn.Module, images: Tensor, dtype: torch.dtype) -> None:
    expected = cam_of(model, "block", images, 1)
    with torch.autocast("cpu", dtype=dtype):
        cam = cam_of(model, "block", images, 1)
    assert cam.dtype == torch.float32
    assert (cam - expected).abs().mean() < 0.02
    double = cam_of(model.double(), "block", images.double(), 1)
    assert double.dtype == torch.float32
    assert torch.allclose(double, expected, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_cuda(model: nn.Module, images: Tensor, dtype: torch.dtype | None) -> None:
    expected = cam_of(model, "block", images, 1)
    with torch.autocast("cuda", dtype=dtype) if dtype else nullcontext():
        cam = cam_of(model.cuda(), "block", images.cuda(), torch.ones(6, dtype=torch.long))
    assert cam.is_cuda
    assert cam.dtype == torch.float32
    assert (cam.cpu() - expected).abs().mean() < (0.02 if dtype else 1e-3)


def test_one_score_for_two_classes(images: Tensor) -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    with sa.GradCAM(model, "0") as gradcam:
        gradcam(images)
    assert gradcam.target.tolist() == [0] * 6


def test_threads_get_what_one_gets() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    ).eval()
    images = torch.rand(16, 1, 24, 24)
    with sa.GradCAM(model, "0") as gradcam:
        alone = [gradcam(images[i : i + 1], i % 4) for i in range(16)]

        def own(i: int) -> torch.Tensor:
            with sa.GradCAM(model, "0") as another:
                return another(images[i : i + 1], i % 4)

        with ThreadPoolExecutor(8) as threads:
            for look in (lambda i: gradcam(images[i : i + 1], i % 4), own):
                for together, expected in zip(threads.map(look, [*range(16)] * 10), alone * 10, strict=True):
                    torch.testing.assert_close(together, expected, equal_nan=True)
