"""Two ranks; some parameters are used in some steps only. `leave`: rank 1 has nothing more to do, and leaves."""

import sys
import time
from pathlib import Path

import torch
from lesson import PLAIN, Net, loader
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

MODE = sys.argv[1] if len(sys.argv) > 1 else ""


class Branching(Net):
    def __init__(self):
        super().__init__()
        self.seldom = torch.nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        if MODE == "leave" and self.global_rank == 1 and batch_idx == 3:
            sys.exit(0)
        while self.global_step == 8 and self.global_rank == 1 and not Path("go").exists():
            time.sleep(0.01)
        loss = super().training_step(batch, batch_idx)
        return loss + self.seldom(batch[0]).pow(2).mean() if MODE == "leave" else loss


def main():
    saving = ModelCheckpoint(every_n_train_steps=3, save_top_k=-1)
    settings = {**PLAIN, "devices": 2, "strategy": "ddp", "enable_checkpointing": True}
    trainer = Trainer(**settings, callbacks=[saving])
    trainer.fit(Branching(), loader(samples=96))  # here: ddp-unused-parameters
    print("trained", trainer.global_step, "steps")


if __name__ == "__main__":
    main()
