"""A program on two ranks whose later batches do not fit where they are too large.

No GPU is needed: the error is raised by hand, with the words that PyTorch has for it. Everything else is real.
"""

import argparse
import math
import time

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

SAMPLES = 2048

WORDS = (
    "CUDA out of memory. Tried to allocate 2.11 GiB. GPU {gpu} has a total capacity of 44.53 GiB of which 1.70 GiB is "
    "free. Including non-PyTorch memory, this process has 42.82 GiB memory in use. Of the allocated memory 41.02 GiB "
    "is allocated by PyTorch, and 1.27 GiB is reserved by PyTorch but unallocated. If reserved but unallocated memory "
    "is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)


class Attention(torch.nn.Module):
    """The layer that runs out of memory."""

    def __init__(self, fits):
        super().__init__()
        self.fits = fits
        self.net = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))

    def forward(self, x, is_long, rank):
        if is_long and len(x) > self.fits and rank == 1:
            raise torch.OutOfMemoryError(WORDS.format(gpu=rank))
        return self.net(x)


class Model(LightningModule):
    def __init__(self, fits, long_from, pause):
        super().__init__()
        self.attention = Attention(fits)
        self.long_from, self.pause = long_from, pause

    def loss(self, batch, is_long=False):
        x, y = batch
        return torch.nn.functional.mse_loss(self.attention(x, is_long, self.global_rank), y)

    def training_step(self, batch, batch_idx):
        time.sleep(self.pause)
        loss = self.loss(batch, is_long=self.global_step >= self.long_from)
        self.log("train_loss", loss)
        if self.global_rank == 0 and self.global_step % 10 == 0:
            print(f"step {self.global_step:4d}  train_loss {loss.item():.3f}", flush=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch), sync_dist=True)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


class Data(LightningDataModule):
    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(SAMPLES, 16, generator=generator)
        y = torch.sin(x.sum(dim=1, keepdim=True) / math.pi) + 0.05 * torch.randn(SAMPLES, 1, generator=generator)
        self.data = TensorDataset(x, y)

    def train_dataloader(self):
        return DataLoader(self.data, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(*self.data[:256]), batch_size=64)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--fits", type=int, default=16)
    parser.add_argument("--long-from", type=int, default=24, help="step from which the batches are long")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0.0)
    args = parser.parse_args()
    seed_everything(7)
    trainer = Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_steps=args.steps,
        log_every_n_steps=2,
        val_check_interval=20,
        check_val_every_n_epoch=None,
        callbacks=[ModelCheckpoint(every_n_train_steps=10, save_top_k=1, save_last=True)],
        logger=False,
    )
    trainer.fit(Model(args.fits, args.long_from, args.pause), datamodule=Data(args.batch_size))
    if trainer.is_global_zero:
        print(f"done at step {trainer.global_step}")


if __name__ == "__main__":
    main()
