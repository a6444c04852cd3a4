"""A script that trains twice: `tuned.py OUT`. First batch size and learning rate can be found, then neither can."""

import json
import sys

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from torch.utils.data import DataLoader, TensorDataset


class Data(LightningDataModule):
    def __init__(self):
        super().__init__()
        self.batch_size = 4

    def train_dataloader(self):
        x = torch.arange(512.0).reshape(256, 2) / 512
        return DataLoader(TensorDataset(x, x.sum(dim=1, keepdim=True)), batch_size=self.batch_size)


class Fixed(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.sizes = []

    def training_step(self, batch, batch_idx):
        self.sizes.append(len(batch[0]))
        return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate())

    def rate(self):
        return 0.125


class Tunable(Fixed):
    def __init__(self):
        super().__init__()
        self.lr = 0.125

    def rate(self):
        return self.lr


def fit(model, **data):
    trainer = Trainer(accelerator="cpu", max_epochs=40, logger=False, enable_checkpointing=False)
    trainer.fit(model, **data)
    return {
        "epochs": trainer.current_epoch,
        "size": model.sizes[-1],
        "rate": trainer.optimizers[0].param_groups[0]["lr"],
    }


def main():
    seed_everything(1)
    data = Data()
    seen = {"tunable": fit(Tunable(), datamodule=data), "batch_size": data.batch_size}
    loader = DataLoader(TensorDataset(torch.ones(8, 2), torch.ones(8, 1)), batch_size=4)
    seen["fixed"] = fit(Fixed(), train_dataloaders=loader)
    with open(f"{sys.argv[1]}-0.json", "w") as file:
        json.dump(seen, file)


if __name__ == "__main__":
    main()
