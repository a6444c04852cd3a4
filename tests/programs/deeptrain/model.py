"""The model: in a module of its own, so that a spawned process finds it again."""

import torch
from lightning import pytorch as pl


class Inner(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        loss = self.layer(batch[0]).pow(2).mean()
        self.manual_backward(loss)
        optimizer.step()
        self.log_dict({"mse_loss": loss, "weight": self.layer.weight.abs().mean()})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
