"""Where does a classifier look? GradCAM: one hook, one forward pass, and backward only to one layer."""

from __future__ import annotations

from difflib import get_close_matches
from threading import get_ident
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sectoraug import checks


class GradCAM:
    """Class activation maps of a classifier, as a context manager (BackMix, section 2.4: z_p).

    Args:
        model: takes (B, C, H, W) images, returns (B, K) class scores. Call `model.eval()` first: modes
            stay as they are, so in training mode batch norm mixes the images, and its running
            statistics move as in any forward pass.
        layer: a module of the model, or its dotted name ("layer4"), whose output is (B, C, h, w). A
            module that runs several times in a forward pass has no one output: name the one around it.

    Leaves alone the model's modes, `requires_grad` and `.grad`; works with frozen parameters, inside
    `torch.no_grad()` and `torch.inference_mode()`, and under autocast. The hook goes when the
    with-block ends, after an exception too, and does nothing outside of calls.

    Threads may call it at once. Attributes of the call that ended last, to print beside %E, which
    depends on them:
        layer: the layer's dotted name.
        grid: (h, w) of the CAM before it was resized to the images.
        target: (B,) int64, the class each CAM is of.
        scores: (B, K), the model's output, so that accuracy needs no second forward pass.

    Raises:
        TypeError, ValueError: the layer is none of the model's, or the model or the layer returns
            something else than above.

    Examples:
        >>> import torch, sectoraug as sa
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(1, 4, 3, stride=2), torch.nn.ReLU(),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3),
        ... ).eval()
        >>> with sa.GradCAM(model, "0") as gradcam:
        ...     cam = gradcam(torch.rand(2, 1, 33, 33))
        >>> cam.shape, gradcam.grid
        (torch.Size([2, 33, 33]), (16, 16))
    """

    grid: tuple[int, int]
    target: Tensor
    scores: Tensor

    def __init__(self, model: nn.Module, layer: nn.Module | str) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is {checks.describe(model)}; expected a torch.nn.Module.")
        self.model = model
        self.layer, self._module = find_layer(model, layer)
        self._hook: Any = None
        self._activations: dict[int, list[Tensor]] = {}  # by the thread whose call is under way

    def __enter__(self) -> GradCAM:
        if self._hook is not None:
            raise RuntimeError("this GradCAM is open already; expected one with-block at a time.")
        self._hook = self._module.register_forward_hook(self._cut)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hook.remove()
        self._hook = None

    def __call__(self, images: Tensor, target: int | Tensor | None = None) -> Tensor:
        """Return the CAMs of a batch.

        Args:
            images: (B, C, H, W) float, on the model's device.
            target: the class to explain; None for each image's highest score, an int for one class,
                or (B,) integers.

        Returns:
            (B, H, W) float32 in 0..1: the ReLU of the layer's channels weighted by their mean
            gradients, over its maximum, bilinear to the images' size. NaN throughout an image whose
            CAM is dead (all zero), which is common in untrained networks, or not finite.
        """
        if self._hook is None:
            raise RuntimeError(
                "GradCAM was called outside of its with-block; expected "
                "`with GradCAM(model, layer) as gradcam: cam = gradcam(images)`."
            )
        _check_images(images)
        self._activations[get_ident()] = []
        try:
            with torch.inference_mode(False):
                scores, activation = self._forward(images.clone() if images.is_inference() else images)
                classes = _classes(target, scores)
                with torch.enable_grad():
                    explained = scores.gather(1, classes[:, None]).sum()
                (gradient,) = torch.autograd.grad(explained, activation, allow_unused=True)
        finally:
            del self._activations[get_ident()]
        if gradient is None:
            raise ValueError(self._detached())
        self.target, self.scores = classes, scores.detach()
        self.grid = (activation.shape[2], activation.shape[3])
        return _cam(activation.detach().float(), gradient.float(), images.shape[2:])

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        # Without gradients up to the layer, where `_cut` turns them on, an evaluation needs hardly more
        # memory than a plain one. A model that runs a part of itself under its own no_grad turns them
        # off again behind the layer; only then is it run once more with gradients from the start.
        activations = self._activations[get_ident()]
        for from_the_start in (False, True):
            activations.clear()
            with torch.set_grad_enabled(from_the_start):
                scores = self.model(images)
            if not activations:
                raise ValueError(
                    f"layer {self.layer!r} did not run in the forward pass; expected it to run once: "
                    "name one that does, and give a compiled model uncompiled."
                )
            _check_scores(scores, len(images))
            if scores.requires_grad:
                return scores, activations[0]
        raise ValueError(self._detached())

    def _cut(self, module: nn.Module, args: Any, output: Any) -> Tensor | None:
        """Make the layer's output the leaf that gradients are taken with respect to."""
        activations = self._activations.get(get_ident())
        if activations is None:
            return None
        if activations:
            raise ValueError(
                f"layer {self.layer!r} runs more than once in a forward pass; expected once, since its "
                "CAM would be one of several: name the module around it."
            )
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise ValueError(
                f"layer {self.layer!r} returns {checks.describe(output)}; expected a (B, C, h, w) tensor: "
                "name a convolution or a block of them."
            )
        torch.set_grad_enabled(True)
        activation = output.detach().clone().requires_grad_()
        activations.append(activation)
        # A leaf must not change in place, and an in-place ReLU behind the layer would do that.
        return activation.clone()

    def _detached(self) -> str:
        return (
            f"the class scores do not depend on layer {self.layer!r} through differentiable steps; "
            "expected a gradient: name a layer on the path to the scores, without detach() behind it."
        )


def _cam(activation: Tensor, gradient: Tensor, size: torch.Size) -> Tensor:
    weights = gradient.mean((2, 3), keepdim=True)
    cam = (weights * activation).sum(1, keepdim=True).relu()
    highest = cam.amax((2, 3), keepdim=True)
    alive = (highest > 0) & highest.isfinite()
    cam = cam / highest.masked_fill(~alive, torch.nan)
    return functional.interpolate(cam, size=size, mode="bilinear", align_corners=False)[:, 0]


def find_layer(model: nn.Module, layer: nn.Module | str) -> tuple[str, nn.Module]:
    """A module of the model and its dotted name, from either."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is {checks.describe(model)}; expected an nn.Module: the network itself.")
    names = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
    if isinstance(layer, nn.Module):
        for name, module in names.items():
            if module is layer:
                return name, module
        raise ValueError(
            f"layer is {checks.describe(layer)} that the model does not contain; expected one of its own: "
            "take it from this model, as in model.layer4."
        )
    if not isinstance(layer, str):
        raise TypeError(f"layer is {checks.describe(layer)}; expected a module or its dotted name.")
    if layer not in names:
        raise ValueError(
            f"layer is {layer!r}, which the model does not have; expected a name like "
            f"{_some(layer, list(names))}: see model.named_modules()."
        )
    return layer, names[layer]


def _some(layer: str, names: list[str]) -> str:
    # A wrapped model (DistributedDataParallel, torch.compile) puts a word before all its names.
    near = [name for name in names if name.endswith(f".{layer}")]
    near += [name for name in get_close_matches(layer, names, n=5, cutoff=0.5) if name not in near]
    near = near or [name for name in names if "." not in name] or names
    return ", ".join(map(repr, near[:5])) or "none (it has no layers)"


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        dtype = f" and {images.dtype}" if isinstance(images, Tensor) else ""
        raise TypeError(
            f"images is {checks.describe(images)}{dtype}; expected a (B, C, H, W) float tensor: "
            "prepare it as for the model."
        )
    if images.ndim == 5:
        raise ValueError(
            f"images is {checks.describe(images)}; expected (B, C, H, W), as video models are not "
            "supported: explain a frame-wise model frame by frame."
        )
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"images is {checks.describe(images)}; expected (B, C, H, W): use images[None] for one image."
        )


def _check_scores(scores: Any, n: int) -> None:
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != n:
        raise ValueError(
            f"the model returns {checks.describe(scores)} for {n} images; expected (B, K) class scores: "
            "wrap it in a module that returns the scores alone."
        )


def _classes(target: int | Tensor | None, scores: Tensor) -> Tensor:
    n, k = scores.shape
    if target is None:
        return scores.detach().argmax(1)
    if isinstance(target, int) and not isinstance(target, bool):
        classes = torch.full((n,), target, device=scores.device)
    elif isinstance(target, Tensor) and not (target.is_floating_point() or target.dtype == torch.bool):
        classes = target.to(scores.device, torch.int64)
    else:
        raise TypeError(
            f"target is {checks.describe(target)}; expected None, an int, or a (B,) integer tensor: "
            "use torch.as_tensor(target), and argmax(1) of probabilities."
        )
    if classes.shape != (n,):
        raise ValueError(
            f"target is {checks.describe(target)} for {n} images; expected one class an image, (B,)."
        )
    if bool(((classes < 0) | (classes >= k)).any()):
        raise ValueError(f"target has classes outside 0..{k - 1}, the classes that the model scores.")
    return classes
