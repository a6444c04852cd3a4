"""Trainings that end well and are worth little: a loss that is NaN from step 12 on, data that is waited for."""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset


class Data(Dataset[torch.Tensor]):
    def __init__(self, size: int, wait_s: float) -> None:
        self.size, self.wait_s = size, wait_s

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, at: int) -> torch.Tensor:
        time.sleep(self.wait_s)
        return torch.ones(2) * at / self.size


class Model(LightningModule):
    def __init__(self, breaks_at: int | None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.breaks_at = breaks_at

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = self.layer(batch).square().mean()
        if self.breaks_at is not None and self.global_step + 1 >= self.breaks_at:
            loss = loss * float("nan")
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


which = sys.argv[1]
data = DataLoader(Data(320 if which == "slow" else 40, 0.06 if which == "slow" else 0.0), batch_size=2)
Trainer(max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, log_every_n_steps=1).fit(
    Model(12 if which == "nan" else None), data
)
