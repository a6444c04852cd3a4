"""Several Trainers in one program: folds, two that take turns, a sweep that catches failures, and evaluations."""

from __future__ import annotations

import sys
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset


class Model(LightningModule):
    def __init__(self, scale: float = 1.0, fails: str = "") -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.scale, self.fails = scale, fails

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.fails == "step" and self.global_step == 3:
            raise ValueError("too large")
        loss = self.layer(batch[0]).square().mean() * self.scale
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.layer(batch[0]).square().mean())

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_loss", self.layer(batch[0]).square().mean())

    def predict_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return self.layer(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.fails == "setup":
            raise RuntimeError("no optimizer")
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer(epochs: int = 2, **more: Any) -> Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return Trainer(max_epochs=epochs, accelerator="cpu", devices=1, logger=False, log_every_n_steps=1, **quiet, **more)


data = DataLoader(TensorDataset(torch.ones(16, 2)), batch_size=4)


def folds() -> None:
    for fold in range(5):
        of_fold, model = trainer(gradient_clip_val=fold + 1), Model(scale=10.0**fold)
        of_fold.fit(model, data, data)
        trainer().test(model, data, verbose=False)


def predict() -> None:
    model, first = Model(), trainer()
    first.validate(model, data, verbose=False)
    first.fit(model, data, data)
    trainer(epochs=7).predict(model, data)


def turns() -> None:
    one, other, models = trainer(1), trainer(1), (Model(), Model())
    for turn in range(3):
        for each, model in zip((one, other), models, strict=True):
            each.fit_loop.max_epochs = turn + 1
            each.fit(model, data)


def sweep() -> None:
    for fails in ("step", "", "setup", "step", ""):
        try:
            trainer().fit(Model(fails=fails), data)
        except (ValueError, RuntimeError) as error:
            print("caught", error)


def many() -> None:
    for _ in range(20):
        trainer(1, limit_train_batches=1).fit(Model(), data)


def broken() -> None:
    trainer().fit(Model(), data)
    trainer().fit(Model(fails="step"), data)


for name in sys.argv[1:]:
    globals()[name]()
