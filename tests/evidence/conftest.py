"""What tests of this folder are given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from small_nets import Net, hooks
from torch import Tensor, nn


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 1, 32, 40, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def watched(model: nn.Module) -> Iterator[nn.Module]:
    """Check that a test has left the model as it was."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    wants = [parameter.requires_grad for parameter in model.parameters()]
    yield model
    assert hooks(model) == 0
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [parameter.requires_grad for parameter in model.parameters()] == wants
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
