"""A script whose model shards itself (FSDP2's `fully_shard`), as `ModelParallelStrategy` wants it: `sharded.py OUT`."""

import json
import sys

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader


class Block(torch.nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x):
        Block.calls += 1
        return x + torch.tanh(self.linear(x))


class Sharded(LightningModule):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block() for _ in range(2))
        self.losses = []

    def configure_model(self):
        mesh = self.device_mesh["data_parallel"]
        for block in self.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(self, mesh=mesh)

    def training_step(self, batch, batch_idx):
        x = batch
        for block in self.blocks:
            x = block(x)
        loss = x.square().mean()
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main():
    out = sys.argv[1]
    seed_everything(1)
    model = Sharded()
    trainer = Trainer(accelerator="cpu", max_steps=4, logger=False)
    trainer.fit(model, DataLoader(torch.randn(32, 8), batch_size=4))
    parameters = list(model.parameters())
    seen = {
        "strategy": type(trainer.strategy).__name__,
        "mesh": dict(zip(trainer.strategy.device_mesh.mesh_dim_names, trainer.strategy.device_mesh.shape, strict=True)),
        "sharded": all(isinstance(parameter, DTensor) for parameter in parameters),
        "local": sum(parameter.to_local().numel() for parameter in parameters),
        "whole": sum(parameter.numel() for parameter in parameters),
        "losses": model.losses,
        "block_calls": Block.calls,
    }
    with open(f"{out}-{trainer.global_rank}.json", "w") as file:
        json.dump(seen, file)


if __name__ == "__main__":
    main()
