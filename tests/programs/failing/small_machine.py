"""Too much for a small machine: its shared memory, its main memory and its disk; and a step that is too long."""

import resource
from pathlib import Path

import torch
from lesson import PLAIN, Net
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

SAMPLES, WIDTH = 128, 32 << 10
GIB = 1 << 30


class Wide(Net):
    def training_step(self, batch, batch_idx):
        if batch_idx == self.trainer.num_training_batches - 1:
            torch.empty(len(batch[0]), GIB, dtype=torch.uint8)  # here: host-memory-alloc
        return super().training_step(batch, batch_idx)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e3)


def allow_memory(further):
    """What a job's limit does (`ulimit -v`): so many bytes of address space beyond those of now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + further, resource.RLIM_INFINITY))


def main():
    torch.manual_seed(1)
    saving = ModelCheckpoint("scratch", save_top_k=-1)
    settings = {**PLAIN, "enable_checkpointing": True, "max_epochs": 6, "detect_anomaly": True}
    trainer = Trainer(**settings, callbacks=[saving])
    numbers = TensorDataset(torch.ones(SAMPLES, WIDTH))
    allow_memory(6 * GIB)
    trainer.fit(Wide(WIDTH), DataLoader(numbers, batch_size=8, num_workers=1))
    print("trained", trainer.global_step, "steps; kept", len(list(Path("scratch").glob("*.ckpt"))))


if __name__ == "__main__":
    main()
