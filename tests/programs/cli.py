"""A LightningCLI script with arguments of its own."""

import hashlib

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader, TensorDataset


class Net(LightningModule):
    def __init__(self, width: int = 8):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))

    def training_step(self, batch, batch_idx):
        loss = self.layers(batch[0]).pow(2).mean()
        self.log("loss", loss)
        return {"loss": loss}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


class Numbers(LightningDataModule):
    def __init__(self, samples: int = 64):
        super().__init__()
        self.samples = samples

    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.randn(self.samples, 4)), batch_size=2)


class Cli(LightningCLI):
    def add_arguments_to_parser(self, parser):
        parser.add_argument("--out", type=str, default="")

    def after_fit(self):
        weights = b"".join(tensor.detach().numpy().tobytes() for tensor in self.model.state_dict().values())
        if self.trainer.is_global_zero:
            with open(self.config["fit"]["out"], "w") as file:
                file.write(hashlib.sha256(weights).hexdigest())


if __name__ == "__main__":
    Cli(Net, Numbers, seed_everything_default=5)
    print("the end of cli")
