"""Raises errors for real with the installed libraries, and prints their tracebacks as JSON: `{name: traceback}`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import textwrap
import traceback
import warnings
from pathlib import Path

PRELUDE = """
import numpy as np, torch, torchmetrics, lightning.pytorch as pl
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from lightning.pytorch.demos.boring_classes import BoringModel, BoringDataModule
quiet = dict(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, limit_train_batches=2, limit_val_batches=1)
"""

ERRORS: dict[str, tuple[str, str]] = {
    # name: (category, program)
    "linear": ("shape-mismatch", "nn.Linear(8, 2)(torch.zeros(3, 7))"),
    "add": ("shape-mismatch", "torch.zeros(3, 4) + torch.zeros(3, 5)"),
    "view": ("shape-mismatch", "torch.zeros(3, 4).view(5, -1)"),
    "conv": ("shape-mismatch", "nn.Conv2d(3, 8, 3)(torch.zeros(2, 4, 9, 9))"),
    "small image": ("shape-mismatch", "nn.Conv2d(3, 8, 7)(torch.zeros(2, 3, 4, 4))"),
    "cat": ("shape-mismatch", "torch.cat([torch.zeros(2, 3), torch.zeros(2, 4, 1)])"),
    "stack of sizes": (
        "collate-size-mismatch",
        "next(iter(DataLoader([torch.zeros(3), torch.zeros(4)], batch_size=2)))",
    ),
    "bmm": ("shape-mismatch", "torch.bmm(torch.zeros(2, 3, 4), torch.zeros(2, 5, 6))"),
    "cross entropy": ("shape-mismatch", "F.cross_entropy(torch.zeros(8, 3), torch.zeros(7, dtype=torch.long))"),
    "bce": ("shape-mismatch", "F.binary_cross_entropy_with_logits(torch.zeros(8, 1), torch.zeros(8))"),
    "lstm": ("shape-mismatch", "nn.LSTM(8, 4)(torch.zeros(5, 2, 7))"),
    "norm": ("shape-mismatch", "nn.LayerNorm(8)(torch.zeros(2, 7))"),
    "batchnorm channels": ("shape-mismatch", "nn.BatchNorm2d(4)(torch.zeros(2, 5, 3, 3))"),
    "batchnorm dims": ("shape-mismatch", "nn.BatchNorm2d(4)(torch.zeros(2, 4))"),
    "attention": (
        "shape-mismatch",
        "nn.MultiheadAttention(8, 2)(torch.zeros(3, 1, 6), torch.zeros(3, 1, 6), torch.zeros(3, 1, 6))",
    ),
    "expand": ("shape-mismatch", "torch.zeros(3, 4).expand(3, 5)"),
    "mask": ("shape-mismatch", "torch.zeros(3, 4)[torch.ones(2, 4, dtype=torch.bool)]"),
    "dimension": ("shape-mismatch", "torch.zeros(3).sum(dim=2)"),
    "numpy": ("shape-mismatch", "np.zeros((3, 4)) + np.zeros((3, 5))"),
    "double": ("dtype-mismatch", "nn.Linear(3, 2)(torch.zeros(2, 3, dtype=torch.float64))"),
    "long": ("dtype-mismatch", "nn.Linear(3, 2)(torch.zeros(2, 3, dtype=torch.long))"),
    "target of floats": ("dtype-mismatch", "F.nll_loss(torch.zeros(2, 3), torch.zeros(2))"),
    "mean of longs": ("dtype-mismatch", "torch.zeros(3, dtype=torch.long).mean()"),
    "index of floats": ("dtype-mismatch", "nn.Embedding(3, 2)(torch.zeros(2))"),
    "bfloat16 to numpy": ("dtype-mismatch", "torch.zeros(2, dtype=torch.bfloat16).numpy()"),
    "objects": ("dtype-mismatch", "torch.from_numpy(np.array(['a', 'b'], dtype=object))"),
    "strings": ("dtype-mismatch", "torch.from_numpy(np.array(['a', 'b']))"),
    "grad of longs": ("dtype-mismatch", "torch.zeros(2, dtype=torch.long, requires_grad=True)"),
    "embedding": ("embedding-index-range", "nn.Embedding(3, 2)(torch.tensor([5]))"),
    "gather": ("embedding-index-range", "torch.zeros(2, 3).gather(1, torch.tensor([[7]]))"),
    "target": ("target-out-of-bounds", "F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 9]))"),
    "no grad": ("loss-no-grad", "torch.zeros(1).sum().backward()"),
    "inference": (
        "loss-no-grad",
        "with torch.inference_mode():\n    x = torch.ones(2, 2)\n(nn.Linear(2, 2)(x)).sum().backward()",
    ),
    "vector": ("loss-not-scalar", "(torch.zeros(3, requires_grad=True) * 2).backward()"),
    "twice": ("backward-twice", "x = (torch.zeros(3, requires_grad=True) ** 2).sum()\nx.backward()\nx.backward()"),
    "inplace": (
        "inplace-modification",
        "x = torch.zeros(3, requires_grad=True)\ny = x.exp()\ny += 1\ny.sum().backward()",
    ),
    "leaf": ("inplace-modification", "x = torch.zeros(3, requires_grad=True)\nx += 1"),
    "meta": ("meta-tensor", "nn.Linear(2, 2, device='meta').to('cpu')"),
    "numpy with grad": ("loss-no-grad|user-exception", "torch.zeros(2, requires_grad=True).numpy()"),
    "metric shapes": (
        "metric-misuse|shape-mismatch",
        "torchmetrics.classification.BinaryAccuracy()(torch.zeros(3), torch.zeros(4, dtype=torch.long))",
    ),
    "metric labels": (
        "metric-misuse",
        "torchmetrics.classification.BinaryAccuracy()(torch.zeros(3), torch.tensor([0, 1, 3]))",
    ),
    "metric classes": (
        "metric-misuse",
        "torchmetrics.classification.MulticlassAccuracy(num_classes=3)(torch.zeros(4, 5), torch.tensor([0, 1, 2, 1]))",
    ),
    "metric average": (
        "metric-misuse",
        "torchmetrics.classification.MulticlassAccuracy(num_classes=3, average='mean')",
    ),
    "metric task": ("metric-misuse", "torchmetrics.Accuracy()"),
    "metric collection": ("metric-misuse", "torchmetrics.MetricCollection([1])"),
    "metric threshold": ("metric-misuse", "torchmetrics.classification.BinaryAccuracy(threshold=3)"),
    "empty": ("empty-dataset", "DataLoader(TensorDataset(torch.zeros(0, 2)), shuffle=True)"),
    "workers": ("dataloader-config", "DataLoader([1], num_workers=0, prefetch_factor=3)"),
    "shuffle": ("dataloader-config", "DataLoader([1], shuffle=True, sampler=[0])"),
    "batch of one": ("batchnorm-single-sample", "nn.BatchNorm1d(3)(torch.zeros(1, 3))"),
    "state": ("state-dict-mismatch", "nn.Linear(2, 2).load_state_dict({'weight': torch.zeros(3, 2)})"),
    "optimizer state": (
        "optimizer-state-mismatch",
        "a = torch.optim.SGD(nn.Linear(2, 2).parameters())\nb = torch.optim.SGD([torch.zeros(1)])\nb.load_state_dict(a.state_dict())",
    ),
    "no parameters": ("optimizer-config", "torch.optim.SGD([], lr=1)"),
    "no file": ("checkpoint-not-found", "torch.load('/nowhere/last.ckpt')"),
    "no checkpoint": ("checkpoint-corrupted", "open('x.ckpt', 'w').write('hello')\ntorch.load('x.ckpt')"),
    "own class": (
        "weights-only-unpickling",
        "from fractions import Fraction\ntorch.save({'a': Fraction(1)}, 'own.ckpt')\ntorch.load('own.ckpt')",
    ),
    "cuda": ("cuda-not-compiled", "torch.zeros(2).cuda()"),
    "cuda flag": ("no-gpu-available", "pl.Trainer(accelerator='cuda')"),
    "flag": ("trainer-removed-arg", "pl.Trainer(gpus=1)"),
    "precision": ("invalid-trainer-flag", "pl.Trainer(precision='17')"),
    "strategy": ("invalid-trainer-flag", "pl.Trainer(strategy='dpp')"),
    "devices": ("invalid-trainer-flag", "pl.Trainer(accelerator='cpu', devices=0)"),
    "fraction": ("invalid-trainer-flag", "pl.Trainer(limit_train_batches=-2)"),
    "no step": (
        "missing-training-step",
        "class M(pl.LightningModule):\n    def configure_optimizers(self): return torch.optim.SGD([nn.Parameter(torch.zeros(1))])\npl.Trainer(**quiet).fit(M(), DataLoader([1]))",
    ),
    "no loader": (
        "missing-dataloader",
        "class M(BoringModel):\n    train_dataloader = None\npl.Trainer(**quiet).fit(M())",
    ),
    "monitor": (
        "early-stopping-metric-missing",
        "pl.Trainer(callbacks=[pl.callbacks.EarlyStopping('val_lossy')], **quiet).fit(BoringModel())",
    ),
    "scheduler": (
        "lr-scheduler-monitor",
        "class M(BoringModel):\n    def configure_optimizers(self):\n        o = torch.optim.SGD(self.parameters(), lr=1)\n        return {'optimizer': o, 'lr_scheduler': torch.optim.lr_scheduler.ReduceLROnPlateau(o)}\npl.Trainer(**quiet).fit(M())",
    ),
    "bad return": (
        "training-step-bad-return",
        "class M(BoringModel):\n    def training_step(self, b, i): return 'x'\npl.Trainer(**quiet).fit(M())",
    ),
    "log twice": (
        "logging-misuse",
        "class M(BoringModel):\n    def training_step(self, b, i): self.log('a', 'text')\npl.Trainer(**quiet).fit(M())",
    ),
    "old hook": (
        "hook-removed",
        "class M(BoringModel):\n    def training_epoch_end(self, o): pass\npl.Trainer(**quiet).fit(M())",
    ),
    "mixed module": (
        "lightning-pl-mixing",
        "import pytorch_lightning as old\nclass M(old.LightningModule): pass\npl.Trainer(**quiet).fit(M())",
    ),
    "mixed data": (
        "lightning-pl-mixing",
        "import pytorch_lightning as old\nclass D(old.LightningDataModule): pass\nclass M(BoringModel):\n    train_dataloader = None\npl.Trainer(**quiet).fit(M(), D())",
    ),
    "mixed callback": (
        "early-stopping-metric-missing",
        "import pytorch_lightning as old\npl.Trainer(callbacks=[old.callbacks.EarlyStopping('a')], **quiet).fit(BoringModel())",
    ),
    "manual": (
        "manual-optimization",
        "class M(BoringModel):\n    automatic_optimization = False\npl.Trainer(gradient_clip_val=1, **quiet).fit(M())",
    ),
    "module": ("missing-module", "import no_such_package"),
    "name": ("import-removed-api", "from torchmetrics import NoSuchMetric"),
    "key": ("user-exception", "{}['lr']"),
    "own": ("user-exception", "raise RuntimeError('the table is empty')"),
    "pickle": ("spawn-pickling", "import pickle\npickle.dumps(lambda: 0)"),
    "group": ("process-group-not-initialized", "torch.distributed.all_reduce(torch.zeros(1))"),
    "group env": ("process-group-init-env", "torch.distributed.init_process_group('gloo')"),
    "nccl": (
        "nccl-not-built",
        "import os\nos.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29777', RANK='0', WORLD_SIZE='1')\ntorch.distributed.init_process_group('nccl')",
    ),
    "compile": (
        "torch-compile",
        "def f(x):\n    torch._dynamo.graph_break()\n    return x\ntorch.compile(f, fullgraph=True, backend='eager')(torch.zeros(2))",
    ),
    "memory": ("host-memory-alloc", "torch.zeros(1 << 48)"),
    "numpy memory": ("host-memory-alloc", "np.zeros((1 << 50,))"),
}


def main() -> None:
    """Run each program in a folder of its own, as its file."""
    warnings.simplefilter("ignore")
    told = {}
    for name, (_, program) in ERRORS.items():
        folder = Path(tempfile.mkdtemp())
        os.chdir(folder)
        path = folder / "train.py"
        path.write_text(PRELUDE + textwrap.dedent(program) + "\n")
        try:
            exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})
        except BaseException:
            lines = traceback.format_exc().split("\n")
            told[name] = "\n".join([lines[0], *lines[3:]]).rstrip()  # without the frame of this file
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
