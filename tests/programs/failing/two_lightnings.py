"""A model of one Lightning in the Trainer of the other."""

import torch
from lightning.pytorch import Trainer
from pytorch_lightning import LightningModule


class Net(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)


if __name__ == "__main__":
    Trainer(accelerator="cpu", max_epochs=1, logger=False).fit(Net())  # here
