"""A script that writes down what is really in effect in it, read from its own live objects: `planned.py OUT [options]`.

It knows nothing of lightning-tui. One file for each rank: `OUT-0.json`, `OUT-1.json`.
"""

import argparse
import json
import warnings
from collections import Counter

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, Dataset

warnings.filterwarnings("ignore")


class Numbers(Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, index):
        random = torch.Generator().manual_seed(index)
        return index, torch.randn(4, generator=random)


def stack(samples):
    return torch.tensor([index for index, _ in samples]), torch.stack([x for _, x in samples])


class OwnLoader(DataLoader):
    """A loader with an argument of its own, which nobody could make anew from its attributes."""

    def __init__(self, label, dataset, **kwargs):
        super().__init__(dataset, **kwargs)
        self.secret = label.upper()


class Stream:
    """Gives batches, and is no DataLoader."""

    def __iter__(self):
        yield stack([Numbers()[0], Numbers()[1]])


class Block(torch.nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)
        self.dropout = torch.nn.Dropout(0.2)

    def forward(self, x):
        if not torch.compiler.is_compiling():
            Block.calls += 1
        return x + self.dropout(torch.tanh(self.linear(x)))


class Net(LightningModule):
    def __init__(self, fails_at=None):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block() for _ in range(3))
        self.unused = torch.nn.Linear(4, 4)
        self.fails_at = fails_at
        self.batches, self.losses, self.names = [], [], []

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def training_step(self, batch, batch_idx):
        loss = (self(batch[1]) - 1).square().mean()
        self.log("train_loss", loss)
        return loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.batches.append([self.current_epoch, *batch[0].tolist()])
        self.losses.append(outputs["loss"].item())
        if self.fails_at is not None and self.global_step >= self.fails_at:
            raise RuntimeError("on purpose")

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", batch[1].mean(), sync_dist=True)

    def configure_optimizers(self):
        self.names = [name for name, _ in self.named_parameters()]
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Look(Callback):
    """Looks at the live objects when everything is in place."""

    def __init__(self):
        self.seen = {}

    def on_train_start(self, trainer, pl_module):
        loader = trainer.train_dataloader
        self.seen = {
            "trainer": {
                name: getattr(trainer, name)
                for name in ("gradient_clip_algorithm", "gradient_clip_val", "num_sanity_val_steps", "num_devices")
            },
            "check_val_every_n_epoch": trainer.check_val_every_n_epoch,
            "min_epochs": trainer.fit_loop.min_epochs,
            "min_steps": trainer.fit_loop.epoch_loop.min_steps,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
            "benchmark": torch.backends.cudnn.benchmark,
            "anomaly": torch.is_anomaly_enabled(),
            "loader": {
                "class": type(loader).__name__,
                "secret": getattr(loader, "secret", None),
                "collate": loader.collate_fn.__name__,
                "sampler": type(loader.sampler).__name__,
                **{
                    name: getattr(loader, name)
                    for name in ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "batch_size")
                },
            },
            "checkpoints": [
                {name: str(value) for name, value in vars(callback).items() if isinstance(value, str | int | None)}
                for callback in trainer.checkpoint_callbacks
            ],
            "strategy": type(trainer.strategy).__name__,
            "start_method": getattr(trainer.strategy, "_start_method", None),
            "modules": [type(module).__name__ for module in pl_module.modules()],
            "is_compiled": [m._compiled_call_impl is not None for m in [*pl_module.blocks, pl_module.unused]],
            "layer_sync": type(getattr(trainer.strategy, "_layer_sync", None)).__name__,
            "ddp": self.ddp(trainer.strategy.model),
        }

    def ddp(self, model):
        if not isinstance(model, torch.nn.parallel.DistributedDataParallel):
            return None
        names = ("find_unused_parameters", "static_graph", "gradient_as_bucket_view", "bucket_bytes_cap")
        return {name: getattr(model, name) for name in names}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--own-checkpoint", action="store_true")
    parser.add_argument("--own-strategy", action="store_true")
    parser.add_argument("--fails-at", type=int)
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    seed_everything(7)
    settings = {"batch_size": 8, "shuffle": True, "collate_fn": stack}
    # Lightning gives each rank a part of the data, for which it must make the loader anew.
    train = DataLoader(Numbers(), **settings) if args.own_strategy else OwnLoader("own", Numbers(), **settings)
    model, look = Net(args.fails_at), Look()
    callbacks, kept = [look], {}
    if args.own_checkpoint:
        callbacks.append(ModelCheckpoint(monitor="val_loss", filename="mine-{step}", save_top_k=2))
    if args.own_strategy:
        kept["strategy"] = DDPStrategy(find_unused_parameters=True, bucket_cap_mb=7)
    trainer = Trainer(
        accelerator="cpu", max_epochs=args.epochs, callbacks=callbacks, logger=False, log_every_n_steps=1, **kept
    )
    try:
        trainer.fit(model, train, Stream())
    finally:
        look.seen |= {
            "batches": model.batches,
            "losses": model.losses,
            "names": model.names,
            "keys": list(model.state_dict()),
            "block_calls": Block.calls,
            "original_loader": [train.num_workers, train.batch_size],
            "left_behind": [name for m in model.modules() for name in ("forward", "training_step") if name in vars(m)],
            "graphs": Counter(torch._dynamo.utils.counters["stats"])["unique_graphs"],
        }
        with open(f"{args.out}-{trainer.global_rank}.json", "w") as file:
            json.dump(look.seen, file)


if __name__ == "__main__":
    main()
