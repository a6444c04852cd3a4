"""A plain script, as many are: a model, some data, a Trainer with everything said explicitly."""

import argparse
import hashlib
import time

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch.utils.data import DataLoader, TensorDataset


class Regression(LightningModule):
    def __init__(self, pause=0.0):
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.1), torch.nn.Linear(8, 1))
        self.pause = pause

    def loss(self, batch):
        x, y = batch
        return torch.nn.functional.mse_loss(self.layer(x), y)

    def training_step(self, batch, batch_idx):
        time.sleep(self.pause)
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch), sync_dist=True)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)]


def data(samples):
    x = torch.randn(samples, 4)
    return DataLoader(TensorDataset(x, x.sum(dim=1, keepdim=True)), batch_size=4)


def fingerprint(model):
    weights = b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in model.state_dict().values())
    return hashlib.sha256(weights).hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--pause", type=float, default=0.0)
    args = parser.parse_args()
    seed_everything(7)
    train, val = data(args.samples), data(16)
    model = Regression(args.pause)
    callbacks = [
        TQDMProgressBar(),
        ModelCheckpoint(monitor="val_loss", save_top_k=1),
        EarlyStopping("val_loss", patience=50),
    ]
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision="32-true",
        max_epochs=5,
        min_epochs=2,
        callbacks=callbacks,
        log_every_n_steps=5,
        logger=False,
    )
    trainer.fit(model, train, val)
    if trainer.is_global_zero and args.out:
        with open(args.out, "w") as file:
            file.write(fingerprint(model))
    print("the end of plain")


if __name__ == "__main__":
    main()
