"""Written on a large GPU server. On this machine one thing after another is in its way, and a plan helps with each."""

import os
import signal

import torch
from lesson import PLAIN, Net
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Dataset, get_worker_info

FITS = 8


class Numbers(Dataset):
    """Its loading process dies as the kernel would kill it. Real, but for the hand that kills."""

    def __len__(self):
        return 32

    def __getitem__(self, index):
        if get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.randn(4)


class Large(Net):
    def __init__(self):
        super().__init__()
        self.activation = lambda values: values.relu()

    def training_step(self, batch, batch_idx):
        if len(batch) > FITS:  # there is no GPU here: the words are PyTorch's own
            raise torch.OutOfMemoryError(  # here: cuda-oom
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which "
                "1.12 GiB is free. Including non-PyTorch memory, this process has 22.51 GiB memory in use."
            )
        return super().training_step([self.activation(batch)], batch_idx)

    def validation_step(self, batch, batch_idx):
        self.log("accuracy", (self.layer(batch) > 0).float().mean())


def main():
    server = {"accelerator": "gpu", "strategy": "ddp_spawn"}
    settings = {**PLAIN, **server, "enable_checkpointing": True, "num_sanity_val_steps": 0}
    saving = ModelCheckpoint(monitor="val_loss", save_top_k=1)
    trainer = Trainer(**settings, callbacks=[saving])  # here: no-gpu-available
    train, val = DataLoader(Numbers(), batch_size=2 * FITS, num_workers=1), DataLoader(Numbers(), batch_size=FITS)
    trainer.fit(Large(), train, val)  # here: spawn-pickling
    print("trained", trainer.global_step, "steps in", trainer.num_training_batches, "batches")


if __name__ == "__main__":
    main()
