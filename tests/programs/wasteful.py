"""A program that could do better: slow data in its own process, a validation every few batches, a loss that breaks."""

import time

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset


class SlowData(Dataset):
    def __len__(self):
        return 4000

    def __getitem__(self, index):
        time.sleep(0.03)
        return torch.ones(4)


class Breaking(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch).square().mean()
        if self.global_step >= 40:
            loss = loss * float("nan")
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_count", float(len(batch)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-4)


if __name__ == "__main__":
    Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=330,
        val_check_interval=4,
        limit_val_batches=3,
        log_every_n_steps=10,
        logger=False,
        enable_checkpointing=False,
    ).fit(Breaking(), DataLoader(SlowData()), DataLoader(SlowData()))
