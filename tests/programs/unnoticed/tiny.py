"""The little model that the programs train; it lies beside each of them."""

import lightning.pytorch as L
import torch
from torch.utils.data import DataLoader, TensorDataset

L.seed_everything(1, verbose=False)


class Net(L.LightningModule):
    def __init__(self, lr=0.05):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(4, 1)

    def step(self, batch):
        x, y = batch
        return torch.nn.functional.mse_loss(self.layer(x), y)

    def training_step(self, batch, i):
        loss = self.step(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, i):
        self.log("val_loss", self.step(batch))

    def test_step(self, batch, i):
        self.log("test_loss", self.step(batch))

    def predict_step(self, batch, i):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


def data(n=16, batch=4):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=generator)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=batch)


QUIET = dict(  # noqa: C408
    accelerator="cpu", devices=1, logger=False, enable_model_summary=False, enable_progress_bar=False,
    enable_checkpointing=False, log_every_n_steps=1, max_steps=4, num_sanity_val_steps=0,
)  # fmt: skip


def trainer(cls=L.Trainer, **changes):
    return cls(**{**QUIET, **changes})


def fit(net=None, **changes):
    made = trainer(**changes)
    made.fit(net or Net(), data())
    tell(made)
    return made


def tell(made):
    for name, value in sorted(made.callback_metrics.items()):
        print(f"METRIC {name} {float(value):.6f}")
    print(f"STEP {made.global_step} {made.current_epoch}")
