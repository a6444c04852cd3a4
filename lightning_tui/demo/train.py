"""Train a small character-level GPT on the source text of Python's own standard library.

Real text on every machine, without a download: after a minute on a laptop the samples begin to look like Python.

    python train.py                          # tiny: a few minutes on two CPU cores
    python train.py --size small             # one GPU
    python train.py --size gpt2              # one to eight large GPUs
"""

from __future__ import annotations

import argparse
import math
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn import functional as F  # noqa: N812 (the name that PyTorch code gives it)
from torch.utils.data import DataLoader, Dataset

# --- Data -------------------------------------------------------------------------------------------------------------

VOCABULARY = bytes([ord("\n"), *range(ord(" "), ord("~") + 1)])
"""One symbol a character. It is fixed, so a checkpoint fits every machine; other characters are left out."""

_CODES = bytes(max(VOCABULARY.find(byte), 0) for byte in range(256))
_UNKNOWN = bytes(byte for byte in range(256) if byte not in VOCABULARY)
_SKIPPED_FOLDERS = frozenset({"site-packages", "dist-packages", "test", "tests", "__pycache__"})


def encode(text: bytes) -> Tensor:
    """Turn text into codes, one byte each."""
    codes = bytearray(text.expandtabs(4).translate(_CODES, _UNKNOWN))
    return torch.frombuffer(codes, dtype=torch.uint8) if codes else torch.empty(0, dtype=torch.uint8)


def decode(codes: Tensor) -> str:
    """Turn codes back into text."""
    return bytes(VOCABULARY[code] for code in codes.tolist()).decode("ascii")


def read_sources(folder: Path, characters: int) -> Iterator[bytes]:
    """Yield the Python sources below a folder, always in the same order, until `characters` are reached."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for name in sorted(names):
            if not name.endswith(".py"):
                continue
            try:
                text = Path(place, name).read_bytes()
            except OSError:
                continue
            yield text
            characters -= len(text)
            if characters <= 0:
                return


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """A text cut into windows: `context` characters, and the same moved on by one as what is to be predicted."""

    def __init__(self, text: Tensor, context: int) -> None:
        self.text = text
        self.context = context

    def __len__(self) -> int:
        return max(0, (len(self.text) - 1) // self.context)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        start = index * self.context
        window = self.text[start : start + self.context + 1].long()
        return window[:-1], window[1:]


class PythonText(LightningDataModule):
    """The Python sources below a folder; every tenth file is kept for validation."""

    def __init__(self, folder: Path, context: int, batch_size: int, characters: int, num_workers: int = 0) -> None:
        super().__init__()
        self.folder = folder
        self.context = context
        self.batch_size = batch_size
        self.characters = characters
        self.num_workers = num_workers

    def setup(self, stage: str) -> None:
        sources = list(read_sources(self.folder, self.characters))
        validation = sources[::10]
        training = [text for index, text in enumerate(sources) if index % 10]
        self.training = Windows(encode(b"\n".join(training)), self.context)
        self.validation = Windows(encode(b"\n".join(validation)), self.context)
        if not len(self.training) or not len(self.validation):
            raise FileNotFoundError(f"Too little Python source text below {self.folder}. Name a folder with --data.")

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        return self._loader(self.training, shuffle=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        return self._loader(self.validation, shuffle=False)

    def _loader(self, dataset: Windows, shuffle: bool) -> DataLoader[tuple[Tensor, Tensor]]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            drop_last=shuffle and len(dataset) > self.batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )


# --- Model ------------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """One transformer block: each character looks back, then thinks."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.query_key_value(self.attention_norm(x)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        attention = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attention_out(attention.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(x)


class CharacterGPT(LightningModule):
    """A GPT over characters, trained with AdamW, a linear warm-up and a cosine decay."""

    def __init__(self, layers: int, heads: int, width: int, context: int, learning_rate: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.context = context
        self.learning_rate = learning_rate
        self.character = nn.Embedding(len(VOCABULARY), width)
        self.position = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(VOCABULARY), bias=False)
        self.sample = ""
        self.apply(_initialize)

    def forward(self, codes: Tensor) -> Tensor:
        """Map (batch, length) codes to (batch, length, vocabulary) logits of the next character."""
        x = self.character(codes) + self.position(torch.arange(codes.shape[1], device=codes.device))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self._loss(batch)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self._loss(batch), prog_bar=True, sync_dist=True, batch_size=len(batch[0]))
        if batch_idx == 0 and not self.trainer.sanity_checking:
            # Here, and on every rank, because a sharded model is only whole inside a step that all ranks take.
            self.sample = self.generate("def ", length=200, seed=self.global_step)

    def on_validation_end(self) -> None:
        if self.sample:
            loss = float(self.trainer.callback_metrics["val_loss"])
            self.print(f"epoch {self.current_epoch}, step {self.global_step}: val_loss {loss:.3f}, a sample:")
            self.print("\n".join(f"    {line}" for line in self.sample.splitlines()))

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
        total = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_up_then_cosine(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        sharded = self.trainer.strategy.model
        if isinstance(sharded, FullyShardedDataParallel) and gradient_clip_val:
            sharded.clip_grad_norm_(gradient_clip_val)  # it alone knows the norm over all shards
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    @torch.no_grad()
    def generate(self, prompt: str, length: int, temperature: float = 0.8, seed: int = 0) -> str:
        """Continue a prompt by `length` characters; the same weights and seed give the same text."""
        random = torch.Generator(self.device).manual_seed(seed)
        codes = encode(prompt.encode()).long().to(self.device)
        for _ in range(length):
            logits = self(codes[None, -self.context :])[0, -1].float()
            chosen = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=random)
            codes = torch.cat([codes, chosen])
        return decode(codes)

    def _loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        codes, following = batch
        return F.cross_entropy(self(codes).flatten(0, 1), following.flatten())


def warm_up_then_cosine(step: int, total: float) -> float:
    """Return the share of the learning rate at a step: up in the first tenth (100 steps at most), then down to 0.1."""
    warm_up = max(1.0, min(100.0, total / 10))
    if step < warm_up:
        return (step + 1) / warm_up
    progress = min(1.0, (step - warm_up) / max(1.0, total - warm_up))
    return 0.1 + 0.45 * (1.0 + math.cos(math.pi * progress))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


# --- Program ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """A model with what fits it: how much text, how large a batch on each device, how long to train."""

    layers: int
    heads: int
    width: int
    context: int
    learning_rate: float
    batch_size: int
    batches_per_epoch: int
    max_epochs: int
    characters: int


# fmt: off
SIZES = {
    "tiny": Size(
        layers=3, heads=4, width=96, context=96, learning_rate=3e-3,
        batch_size=16, batches_per_epoch=150, max_epochs=28, characters=2_000_000,
    ),
    "small": Size(
        layers=6, heads=6, width=384, context=256, learning_rate=1e-3,
        batch_size=64, batches_per_epoch=250, max_epochs=20, characters=8_000_000,
    ),
    "gpt2": Size(
        layers=12, heads=12, width=768, context=1024, learning_rate=6e-4,
        batch_size=32, batches_per_epoch=250, max_epochs=40, characters=32_000_000,
    ),
}
# fmt: on
"""About 0.4, 11 and 86 million parameters: for two CPU cores, for any GPU, and for GPUs of 40 GB and more."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small GPT on Python's own source text.")
    parser.add_argument("--size", choices=SIZES, default="tiny", help="model and batch size (default: tiny)")
    parser.add_argument("--data", type=Path, default=Path(sysconfig.get_path("stdlib")), help="folder of .py files")
    parser.add_argument("--max-epochs", type=int, help="default: as fits the size")
    parser.add_argument("--max-steps", type=int, default=-1, help="end after so many steps (default: no limit)")
    parser.add_argument("--batch-size", type=int, help="on each device (default: as fits the size)")
    parser.add_argument("--learning-rate", type=float, help="default: as fits the size")
    parser.add_argument("--num-workers", type=int, default=spare_workers(), help="processes that load data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", metavar="CHECKPOINT", help="go on from this checkpoint")
    args = parser.parse_args(arguments)
    for name in ("max_epochs", "batch_size", "learning_rate"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(SIZES[args.size], name))
    return args


def spare_workers() -> int:
    """Return how many data workers pay off: two, or none where training needs all CPUs itself."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 if cpus > 2 else 0


def main(arguments: list[str] | None = None) -> None:
    """Train as the command line says."""
    args = parse_arguments(arguments)
    size = SIZES[args.size]
    seed_everything(args.seed, workers=True)
    torch.set_float32_matmul_precision("high")

    data = PythonText(args.data, size.context, args.batch_size, size.characters, args.num_workers)
    model = CharacterGPT(size.layers, size.heads, size.width, size.context, args.learning_rate)
    # Who only tries it out finds nothing of it in the folder that they stand in.
    run = os.environ.get("LIGHTNING_TUI_RUN_DIR")
    folder = Path(run, "checkpoints") if run else Path()
    trainer = Trainer(
        max_epochs=args.max_epochs,
        max_steps=args.max_steps,
        limit_train_batches=size.batches_per_epoch,
        limit_val_batches=20,
        gradient_clip_val=1.0,
        log_every_n_steps=10,
        logger=CSVLogger(folder),
        default_root_dir=folder,
        callbacks=[
            ModelCheckpoint(filename="{epoch}-{val_loss:.3f}", monitor="val_loss", save_top_k=2, save_last=True),
            LearningRateMonitor(logging_interval="step"),
        ],
    )
    trainer.fit(model, data, ckpt_path=args.resume)


if __name__ == "__main__":
    main()
