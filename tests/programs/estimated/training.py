"""What the models here share: the command line, the Trainer, and the peak of memory of a real step.

The peak is what the allocator of PyTorch reports (`torch.profiler` with `profile_memory`), on top of what is there
before the first step: parameters, buffers and the batch, added up tensor by tensor.
"""

import argparse
import json

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, Dataset

MARK = "the second step"
CONVOLUTIONS = {
    "aten::_slow_conv2d_forward",
    "aten::_slow_conv2d_backward",
    "aten::mkldnn_convolution",
    "aten::mkldnn_convolution_backward",
    "aten::convolution_backward",
}


class Learner(LightningModule):
    """A model with one of two optimizers, as they update parameters on a GPU by default: many at once (`foreach`)."""

    optimizer_name = "adamw"

    def configure_optimizers(self):
        if self.optimizer_name == "adamw":
            return torch.optim.AdamW(self.parameters(), lr=1e-3, foreach=True)
        return torch.optim.SGD(self.parameters(), lr=1e-3, foreach=True)


class Samples(Dataset):
    """As many samples as are asked for, each made by a function of no arguments."""

    def __init__(self, make, length):
        self.make = make
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.make()


class PeakOfSecondStep(Callback):
    """The second step finds the optimizer's state, and the gradients of the first, in memory.

    Events are taken from the first step on: the profiler does not see memory go that it did not see come.
    """

    def __init__(self, path):
        self.path = path
        self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True)
        self.mark = torch.profiler.record_function(MARK)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if batch_idx == 0:
            self.before = held([*module.parameters(), *module.buffers(), *batch])
            self.profiler.start()
        elif batch_idx == 1:
            self.mark.__enter__()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if batch_idx == 1:
            self.mark.__exit__(None, None, None)
            self.profiler.stop()
            with open(self.path, "w") as file:
                peak, outside = peaks_of(self.profiler)
                json.dump({"peak": self.before + peak, "work_space": peak - outside}, file)


def held(tensors):
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


def peaks_of(profiler):
    """The highest sum of the allocator's events during the marked step, in bytes, and that outside of convolutions.

    The kernels of a convolution allocate work space and give it back before they return: no operation makes it.
    """
    events = list(profiler.profiler.kineto_results.events())
    marked = next(event.start_ns() for event in events if event.name() == MARK)
    changes = sorted((e.start_ns(), place, e.nbytes()) for place, e in enumerate(events) if e.name() == "[memory]")
    kernels = [(e.start_ns(), e.start_ns() + e.duration_ns()) for e in events if e.name() in CONVOLUTIONS]
    level = peak = outside = 0
    for at, _, change in changes:
        level += change
        if at >= marked:
            peak = max(peak, level)
            if not any(start <= at < end for start, end in kernels):
                outside = max(outside, level)
    return peak, outside


def train(make_model, make_sample):
    """Run the program: `--batch-size`, `--optimizer`, and for a real measurement `--precision` and `--peak FILE`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--optimizer", choices=("adamw", "sgd"), default="adamw")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--peak")
    parser.add_argument("--no-onednn", action="store_true")
    args = parser.parse_args()
    seed_everything(1, verbose=False)
    torch.backends.mkldnn.enabled = not args.no_onednn
    model = make_model()
    model.optimizer_name = args.optimizer
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision=args.precision,
        max_steps=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PeakOfSecondStep(args.peak)] if args.peak else [],
    )
    trainer.fit(model, DataLoader(Samples(make_sample, 4 * args.batch_size), batch_size=args.batch_size))
