"""The measured program: a model so small that a step is nearly all Lightning, and what a callback adds shows."""

import argparse
import itertools
import json
import time
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar, TQDMProgressBar
from torch.utils.data import DataLoader, TensorDataset


class Tiny(pl.LightningModule):
    """One linear layer; logs nothing, so that the bars are the only difference."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class StepClock(Callback):
    """Stamps each batch start."""

    def __init__(self) -> None:
        self.stamps: list[float] = []

    def on_train_batch_start(self, *_: object) -> None:
        self.stamps.append(time.perf_counter())


def main() -> None:
    """Train and write the step times in seconds to `--out`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bar", choices=["none", "tqdm", "rich"], default="none")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clock = StepClock()
    bars = {"none": [], "tqdm": [TQDMProgressBar()], "rich": [RichProgressBar()]}
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=arguments.steps,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=arguments.bar != "none",
        callbacks=[clock, *bars[arguments.bar]],
    )
    data = DataLoader(TensorDataset(torch.randn(arguments.steps * 4, 16)), batch_size=4)
    trainer.fit(Tiny(), data)
    warm = clock.stamps[200:]
    arguments.out.write_text(json.dumps([b - a for a, b in itertools.pairwise(warm)]))


if __name__ == "__main__":
    main()
