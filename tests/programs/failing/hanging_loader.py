"""A dataset that reads in a thread of its own, which a forked loading process does not have."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from lesson import PLAIN, Net
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Dataset, get_worker_info


class Numbers(Dataset):
    def __init__(self):
        self.reading = ThreadPoolExecutor(1)
        self.reading.submit(time.time).result()

    def __len__(self):
        return 96

    def __getitem__(self, index):
        if index < 64 and get_worker_info() is not None:
            return torch.randn(4)
        return self.reading.submit(torch.randn, 4).result()


class Paced(Net):
    def training_step(self, batch, batch_idx):
        time.sleep(0.05)
        while self.global_step == 8 and Path("hold").exists():
            time.sleep(0.01)
        return super().training_step([batch], batch_idx)


def main():
    saving = ModelCheckpoint(every_n_train_steps=3, save_top_k=-1)
    trainer = Trainer(**{**PLAIN, "enable_checkpointing": True}, callbacks=[saving])
    trainer.fit(Paced(), DataLoader(Numbers(), batch_size=4, num_workers=1))
    print("trained", trainer.global_step, "steps")


if __name__ == "__main__":
    main()
