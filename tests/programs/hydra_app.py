"""A Hydra application: the Trainer is built from the config."""

import hashlib
from pathlib import Path

import hydra
import lightning as L
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader, TensorDataset


class Autoencoder(L.LightningModule):
    def __init__(self, width):
        super().__init__()
        self.encode = torch.nn.Linear(4, width)
        self.decode = torch.nn.Linear(width, 4)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = (self.decode(torch.tanh(self.encode(x))) - x).pow(2).mean()
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    L.seed_everything(cfg.seed)
    model = Autoencoder(cfg.model.width)
    trainer = L.Trainer(**cfg.trainer)
    trainer.fit(model, DataLoader(TensorDataset(torch.randn(48, 4)), batch_size=3))
    if trainer.is_global_zero:
        weights = b"".join(tensor.detach().numpy().tobytes() for tensor in model.state_dict().values())
        Path(cfg.out).write_text(hashlib.sha256(weights).hexdigest())
    print("the end of hydra_app")


if __name__ == "__main__":
    main()
