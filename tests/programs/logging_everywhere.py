"""Logs in all the ways there are: step and epoch means, validation, a dict, and straight into two loggers."""

import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import Logger
from torch.utils.data import DataLoader, TensorDataset


class Notes(Logger):
    """A logger of the program's own."""

    name, version = "notes", 0

    def __init__(self):
        super().__init__()
        self.lines = []

    def log_metrics(self, metrics, step=None):
        self.lines.append((dict(metrics), step))

    def log_hyperparams(self, params, *args, **kwargs):
        pass


class Model(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.logger.log_metrics({"grad_scale": 2.0 + index, "tag": "text", "flag": True}, step=index)
        return loss

    def validation_step(self, batch, index):
        self.log_dict({"val_loss": self.layer(batch[0]).square().mean(), "val_zero": 0.0})

    def on_validation_end(self):
        self.loggers[1].log_metrics({"straight_tensor": torch.tensor(7.5)})

    def on_fit_end(self):
        self.logger.log_metrics({"last_words": 42})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


if __name__ == "__main__":
    torch.manual_seed(1)
    data = DataLoader(TensorDataset(torch.randn(64, 4)), batch_size=8)
    notes = Notes()
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        logger=[CSVLogger(sys.argv[1]), notes],
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(Model(), data, data)
    seen = [metrics for metrics, _ in notes.lines]
    print("got", sum("train_loss_step" in one for one in seen), sum("straight_tensor" in one for one in seen))
    print("left as it was:", not hasattr(Notes.log_metrics, "__wrapped__"))
