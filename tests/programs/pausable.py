"""A long training with steps of a known length and trouble on order, for tests of what happens meanwhile."""

import argparse
import os
import sys
import time

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset


class Slow(LightningModule):
    def __init__(self, args):
        super().__init__()
        self.args = args
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        time.sleep(self.args.pause)
        if self.args.trouble and batch_idx == 3 and self.global_rank == self.args.on_rank:
            trouble(self.args.trouble)
        return self.layer(batch[0]).pow(2).mean()

    def validation_step(self, batch, batch_idx):
        print("validating")
        self.log("val_loss", self.layer(batch[0]).pow(2).mean())

    def on_train_epoch_end(self):
        print("an epoch's end")

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"}}


def trouble(kind):
    if kind == "raise":
        raise ValueError("the third batch is cursed")
    if kind == "full disk":
        fill_the_disk()
    if kind == "no run directory":
        os.rename(os.environ["LIGHTNING_TUI_RUN_DIR"], os.environ["LIGHTNING_TUI_RUN_DIR"] + "-gone")
    if kind == "broken telemetry":
        sys.modules["lightning_tui_runner.telemetry.metrics"].MetricBuffer.add_loss = None
    if kind == "broken agreement":
        sys.modules["lightning_tui_runner.steering.agreement"].Agreement._broadcast = None
    if kind == "broken offer":
        sys.modules["lightning_tui_runner.steering.command_folder"].CommandFolder.take_new = None


def fill_the_disk():
    """Put a device that is always full in the place of our own event file, and let nobody see the difference."""
    sys.modules["lightning_tui_runner.process.events"].EventFile._is_own = lambda self: True
    full = os.open("/dev/full", os.O_WRONLY)
    for entry in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
        if "/events/rank-" in path:
            os.dup2(full, int(entry))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pause", type=float, default=0.01)
    parser.add_argument("--batches", type=int, default=20000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--trouble")
    parser.add_argument("--on-rank", type=int, default=0)
    args = parser.parse_args()
    seed_everything(1)
    model = Slow(args)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=args.epochs,
        min_epochs=2,
        min_steps=50,
        callbacks=[EarlyStopping("val_loss"), ModelCheckpoint(monitor="val_loss")],
        num_sanity_val_steps=0,
        logger=False,
        enable_model_summary=False,
    )
    train = DataLoader(TensorDataset(torch.ones(args.batches, 2)), batch_size=1)
    trainer.fit(model, train, DataLoader(TensorDataset(torch.ones(2, 2)), batch_size=2))
    print("the end of pausable", trainer.global_step)


if __name__ == "__main__":
    main()
