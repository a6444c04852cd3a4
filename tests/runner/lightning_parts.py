"""Lightning's classes, and some made of them, for tests that look at real objects. Import it in a test, not above it:

collecting tests must not import torch.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lightning.fabric.strategies.fsdp import _setup_activation_checkpointing as checkpoint_as_fsdp
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
    from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy, SingleDeviceStrategy

__all__ = [
    "Block",
    "DDPStrategy",
    "EarlyStopping",
    "FSDPStrategy",
    "ModelCheckpoint",
    "ModelParallelStrategy",
    "Net",
    "OwnDDP",
    "SingleDeviceStrategy",
    "Trainer",
    "checkpoint_as_fsdp",
    "torch",
]


class OwnDDP(DDPStrategy):  # type: ignore[misc]
    """A strategy of the program's own."""


class Block(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        return self.linear(x)


class Net(LightningModule):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.metric = torch.nn.Identity()

    def forward(self, x: Any) -> Any:
        return self.blocks[1](self.blocks[0](x))
