"""A training with random numbers in it that writes down what each step really used: `steered.py OUT --launcher NAME`.

One line a step and rank: global step, loss, learning rates, time. With `--max-steps` it ends by itself; else by a stop.
"""

import argparse
import json
import time

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import fully_shard
from torch.utils.data import DataLoader, TensorDataset


class Steered(LightningModule):
    def __init__(self, args):
        super().__init__()
        self.out, self.pause, self.validation_pause = args.out, args.pause, args.validation_pause
        self.shards = args.launcher == "model_parallel"
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))

    def configure_model(self):
        if self.shards:
            for layer in (self.net[0], self.net[2]):
                fully_shard(layer, mesh=self.device_mesh["data_parallel"])

    def training_step(self, batch, batch_idx):
        time.sleep(self.pause)
        loss = self.net(batch[0] + torch.rand(1)).square().mean()
        self.note(step=self.global_step, loss=loss.item())
        return loss

    def validation_step(self, batch, batch_idx):
        time.sleep(self.validation_pause)
        self.note(validated=self.global_step)
        self.log("val_loss", self.net(batch[0]).square().mean(), sync_dist=True)

    def configure_optimizers(self):
        groups = [{"params": self.net[0].parameters()}, {"params": self.net[2].parameters(), "lr": 0.002}]
        optimizer = torch.optim.SGD(groups, lr=0.001)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1000)]

    def note(self, **what):
        rates = [group["lr"] for group in self.optimizers().param_groups]
        with open(f"{self.out}-{self.global_rank}.jsonl", "a") as file:
            file.write(json.dumps({**what, "rates": rates, "time": time.time()}) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--launcher", default="auto")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.01)
    parser.add_argument("--validation-pause", type=float, default=0.0)
    parser.add_argument("--ckpt")
    parser.add_argument("--max-steps", type=int, default=-1)
    args = parser.parse_args()
    seed_everything(1, verbose=False)
    trainer = Trainer(
        accelerator="cpu",
        devices=args.devices,
        strategy=ModelParallelStrategy() if args.launcher == "model_parallel" else args.launcher,
        max_steps=args.max_steps,
        min_epochs=2,
        min_steps=1_000_000 if args.max_steps < 0 else None,
        check_val_every_n_epoch=5,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = torch.arange(80000.0).reshape(20000, 4) / 80000
    train = DataLoader(TensorDataset(data), batch_size=2, shuffle=True)
    batches = 1000 if args.validation_pause else 2
    trainer.fit(Steered(args), train, DataLoader(TensorDataset(data[:batches]), batch_size=1), ckpt_path=args.ckpt)
    print("the end of steered", trainer.global_step)


if __name__ == "__main__":
    main()
