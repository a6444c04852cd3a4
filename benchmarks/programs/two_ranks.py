"""A long training on two ranks that says of itself, step by step, how far it is: the truth that a record is held to."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch.utils.data import DataLoader, TensorDataset


class Truth(Callback):
    """Appends `time global_step` after each batch, in one write: what is written stays, whatever kills the process."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: Trainer, *details: Any) -> None:
        with (Path(self.folder) / f"rank-{trainer.global_rank}").open("a") as file:
            file.write(f"{time.time()} {trainer.global_step}\n")


class Slow(LightningModule):
    """One layer, and a step of about 20 ms."""

    def __init__(self, pause: float) -> None:
        super().__init__()
        self.pause = pause
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        time.sleep(self.pause)
        loss: torch.Tensor = self.layer(batch[0]).pow(2).mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("truth")
    parser.add_argument("--strategy", default="ddp")
    parser.add_argument("--pause", type=float, default=0.02)
    args = parser.parse_args()
    torch.set_num_threads(1)
    seed_everything(1)
    trainer = Trainer(
        accelerator="cpu",
        devices=2,
        strategy=args.strategy,
        max_epochs=1000,
        callbacks=[Truth(args.truth)],
        logger=False,
        enable_model_summary=False,
    )
    trainer.fit(Slow(args.pause), DataLoader(TensorDataset(torch.ones(4000, 8)), batch_size=4))


if __name__ == "__main__":
    main()
