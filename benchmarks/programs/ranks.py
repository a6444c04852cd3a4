"""The measured program of two ranks: steps of about 15 ms, the gloo all-reduce of a small DDP model included.

`--agree each-step` broadcasts two numbers after each step on a gloo group of its own: agreeing the simple way.
"""

import argparse
import itertools
import json
import time
from datetime import timedelta
from pathlib import Path

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, TensorDataset


class Slow(pl.LightningModule):
    """A step that takes its time without the CPU, so that two ranks on two cores do not disturb each other."""

    def __init__(self, pause: float) -> None:
        super().__init__()
        self.pause = pause
        self.layer = torch.nn.Linear(16, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        time.sleep(self.pause)
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class StepClock(Callback):
    """Stamps each batch start."""

    def __init__(self) -> None:
        self.stamps: list[float] = []

    def on_train_batch_start(self, *_: object) -> None:
        self.stamps.append(time.perf_counter())


class EachStep(Callback):
    """The simple way: all ranks hear of a command, or of none, after each step."""

    def on_train_start(self, *_: object) -> None:
        self.group = dist.new_group(backend="gloo", timeout=timedelta(minutes=30))

    def on_train_batch_end(self, *_: object) -> None:
        dist.broadcast(torch.zeros(2, dtype=torch.int64), 0, group=self.group)


def main() -> None:
    """Train and write rank 0's step times in seconds to `--out`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agree", choices=["no", "each-step"], default="no")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pause", type=float, default=0.012)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clock = StepClock()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_steps=arguments.steps,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[clock, *([EachStep()] if arguments.agree == "each-step" else [])],
    )
    trainer.fit(Slow(arguments.pause), DataLoader(TensorDataset(torch.randn(arguments.steps * 8, 16)), batch_size=4))
    if trainer.is_global_zero:
        warm = clock.stamps[100:]
        arguments.out.write_text(json.dumps([b - a for a, b in itertools.pairwise(warm)]))


if __name__ == "__main__":
    main()
