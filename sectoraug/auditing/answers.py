"""A model's answers to batches of images, whatever it is: probabilities, checked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

_BATCH = 64


class Answers:
    """Probabilities of each label, by a model in its evaluation mode that is asked without gradients.

    Args:
        model: takes what `preprocess` gives and returns logits, (B, n_labels), or (B,) or (B, 1) for two
            labels.
        preprocess: takes (B, C, H, W) uint8; by default float32 in 0..1.
        n_labels: how many there are.
    """

    def __init__(
        self, model: Callable[[Any], Any], preprocess: Callable[[Any], Any] | None, n_labels: int
    ) -> None:
        if not callable(model):
            raise TypeError(f"model is a {type(model).__name__}; expected a module, or what takes a batch.")
        self.model: Any = model
        self.preprocess = preprocess
        self.n_labels = n_labels
        if isinstance(model, torch.nn.Module):
            with suppress(NotImplementedError):  # of torch.export, whose mode is fixed
                model.eval()

    def prepared(self, images: Tensor) -> Tensor:
        """What the model is shown of (B, C, H, W) uint8."""
        prepared: Tensor = images.float() / 255 if self.preprocess is None else self.preprocess(images)
        return prepared

    def of(self, images: Tensor) -> Tensor:
        """(B, n_labels) float32 probabilities for (B, C, H, W) uint8."""
        parts = [self._probabilities(images[k : k + _BATCH]) for k in range(0, len(images), _BATCH)]
        return torch.cat(parts)

    @torch.no_grad()
    def _probabilities(self, images: Tensor) -> Tensor:
        shown = self.prepared(images)
        try:
            logits = self.model(shown)
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ValueError(
                f"the model failed on a batch of shape {tuple(shown.shape)}, {shown.dtype}: {first}; "
                "expected one that it takes: give model_size, or a preprocess that gives its size, channels "
                "and scale."
            ) from error
        if not isinstance(logits, Tensor):
            raise TypeError(f"the model gave a {type(logits).__name__}; expected a tensor of logits.")
        logits = logits.detach().float().cpu()
        if self.n_labels == 2 and (logits.ndim == 1 or logits.shape[1:] == (1,)):
            logits = torch.stack([torch.zeros(len(logits)), logits.reshape(-1)], 1)
        if logits.shape != (len(images), self.n_labels):
            raise ValueError(
                f"the model gave logits of shape {tuple(logits.shape)} for {len(images)} images; expected "
                f"{(len(images), self.n_labels)}, one for each label in sorted order: audit the labels that "
                "it was trained for, all of them."
            )
        return logits.softmax(1)
