"""A program to tune, good by default; the first word makes it one of those for which tuning goes wrong."""

import sys
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, TensorDataset

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
SAMPLES = 24 if MODE == "few" else 512


class Model(LightningModule):
    def __init__(self, lr=1e-3):
        super().__init__()
        if MODE != "bare":
            self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        if MODE == "full" and len(x) > 16:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes.")
        if MODE == "raising":
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x16 and 8x1)")
        loss = torch.nn.functional.mse_loss(self.net(x), y)
        self.log("loss", loss)
        return loss * float("nan") if MODE == "nan" else loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01 if MODE == "bare" else self.hparams.lr)


class Data(LightningDataModule):
    def __init__(self, batch_size=8):
        super().__init__()
        self.batch_size = batch_size

    def train_dataloader(self):
        return loader(self.batch_size)


def loader(batch_size):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SAMPLES, 16, generator=generator)
    data = TensorDataset(x, x.sum(dim=1, keepdim=True))
    if MODE == "ignoring":

        class Fixed(BatchSampler):
            pass

        return DataLoader(data, batch_sampler=Fixed(SequentialSampler(data), 8, drop_last=False))
    return DataLoader(data, batch_size=batch_size)


def main():
    seed_everything(3)
    Path("reached.txt").write_text("up to fit")
    trainer = Trainer(
        accelerator="cpu",
        strategy="ddp" if MODE == "ddp" else "auto",
        devices=2 if MODE == "ddp" else 1,
        max_epochs=1,
        limit_train_batches=2,
        logger=CSVLogger("logs"),
        callbacks=[ModelCheckpoint(dirpath="checkpoints"), LearningRateMonitor()],
    )
    if MODE == "nofit":
        return
    try:
        if MODE == "bare":
            trainer.fit(Model(), loader(8))
        else:
            trainer.fit(Model(), datamodule=Data())
    finally:
        Path("after.txt").write_text("after fit")


if __name__ == "__main__":
    main()
