"""Programs that hang, each in its own way: a collective that one rank alone enters, a rank that leaves, locks, and one
that is only slow."""

import os
import sys
import threading
import time

import torch
from lesson import PLAIN, Net, loader
from lightning.pytorch import Trainer
from torch import distributed
from torch.utils.data import DataLoader, Dataset, get_worker_info

MODE = sys.argv[1]
PAIR = {**PLAIN, "devices": 2, "strategy": "ddp", "max_epochs": 2}
LOCK = threading.Lock()


class Hanging(Net):
    def setup(self, stage):
        if MODE == "leave-setup" and self.global_rank == 1:
            sys.exit(0)
        if distributed.is_initialized():
            self.groups = [distributed.new_group(), distributed.new_group()]

    def training_step(self, batch, batch_idx):
        time.sleep(0.05)
        if MODE == "lock" and batch_idx == 5:
            with LOCK, LOCK:
                pass
        if MODE == "mismatch" and batch_idx == 3:
            for group in self.groups if self.global_rank == 0 else self.groups[::-1]:
                distributed.barrier(group)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        if MODE == "validation" and self.global_rank == 0:
            distributed.barrier(self.groups[0])


class Numbers(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        if MODE == "slow":
            time.sleep(0.2)
        elif get_worker_info() is not None:
            with LOCK:  # held by another thread when the worker was forked
                pass
        return torch.randn(4), index


def main():
    if MODE == "leave" and os.environ.get("LOCAL_RANK") == "1":
        sys.exit(0)
    if MODE in ("worker", "slow"):
        threading.Thread(target=LOCK.acquire).start()
        settings, data = PLAIN, DataLoader(Numbers(), batch_size=4, num_workers=1 if MODE == "worker" else 0)
    else:
        settings, data = PLAIN if MODE == "lock" else PAIR, loader(samples=96)
    Trainer(**settings, num_sanity_val_steps=0).fit(Hanging(), data, loader())
    print("trained")


if __name__ == "__main__":
    main()
