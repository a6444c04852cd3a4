"""A module that says how to predict, and not how to train."""

from lesson import PLAIN, Net, loader
from lightning.pytorch import LightningModule, Trainer


class Predictor(LightningModule):
    configure_optimizers = Net.configure_optimizers


if __name__ == "__main__":
    Trainer(**PLAIN).fit(Predictor(), loader())  # here
