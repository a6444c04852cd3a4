"""Fails in one of several ways, each of which one change of the plan cures: `cured.py WAY`."""

import os
import socket
import sys

import torch
from lesson import PLAIN, Net, loader
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader, Dataset, get_worker_info


class Validated(Net):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch[0]).pow(2).mean())


class Hungry(Net):
    """There is no GPU here: the words are PyTorch's own."""

    def training_step(self, batch, batch_idx):
        if len(batch[0]) > 8:
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {len(batch[0])}.00 GiB. GPU 0 has a total capacity of "
                "23.64 GiB of which 9.12 GiB is free."
            )
        return super().training_step(batch, batch_idx)


class Shared(Dataset):
    """As if /dev/shm had no room for a single tensor: the words are PyTorch's own."""

    def __len__(self):
        return 32

    def __getitem__(self, index):
        if get_worker_info() is not None:
            raise RuntimeError("unable to write to file </torch_4242_1_0>: No space left on device (28)")
        return (torch.randn(4),)


class Thing:
    """What `weights_only` refuses to read."""


class Keeper(Net):
    def on_save_checkpoint(self, checkpoint):
        checkpoint["thing"] = Thing()


def fit(model, data, *more, resume=None, **settings):
    trainer = Trainer(**{**PLAIN, **settings})
    trainer.fit(model, data, *more, ckpt_path=resume)
    print("trained to step", trainer.global_step)


def resume_from(model, name, torn):
    """Go on from a checkpoint of one epoch, made here where there is none yet."""
    if not os.path.exists(name):
        trainer = Trainer(**PLAIN)
        trainer.fit(model, loader())
        trainer.save_checkpoint("kept/first.ckpt")
        trainer.save_checkpoint(name)
        if torn:
            os.truncate(name, 900)
    fit(type(model)(), loader(), resume=name, max_epochs=2)


def meet_at_a_taken_port():
    other = socket.create_server(("", 0))
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(other.getsockname()[1])
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    fit(Net(), loader())


WAYS = {
    "memory": lambda: fit(Hungry(), loader(256, 64)),
    "shared-memory": lambda: fit(Net(), DataLoader(Shared(), batch_size=4, num_workers=4)),
    "port": meet_at_a_taken_port,
    "missing-checkpoint": lambda: fit(Net(), loader(), resume="kept/last.ckpt"),
    "torn-checkpoint": lambda: resume_from(Net(), "kept/last.ckpt", torn=True),
    "untrusted-checkpoint": lambda: resume_from(Keeper(), "kept/own.ckpt", torn=False),
    "stops-by": lambda: fit(Validated(), loader(), loader(), callbacks=[EarlyStopping(monitor="valid_loss")]),
    "best-by": lambda: fit(
        Validated(), loader(), loader(), enable_checkpointing=True, callbacks=[ModelCheckpoint(monitor="val/loss")]
    ),
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
