"""What is each field of a plan for? Its group, short name and help: one table for screen and command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class FieldText(NamedTuple):
    """How a field is spoken of."""

    group: str
    label: str
    """The Trainer's name, 18 letters at most."""
    help: str
    """One line."""

    @property
    def sentence(self) -> str:
        """The help with a full stop, where it does not trail off."""
        return self.help if self.help.endswith("…") else f"{self.help}."


_TABLE: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "Basics": (
        ("strategy", "strategy", "How work is distributed over devices: auto, ddp, fsdp …"),
        ("precision", "precision", "Numeric precision: 32-true, bf16-mixed, 16-mixed …"),
        ("devices", "devices", "Number of devices, -1 or auto for all, or a list such as 0,2"),
        ("accelerator", "accelerator", "Kind of device: auto, cpu, gpu, mps, tpu"),
        ("num_nodes", "num nodes", "Number of nodes"),
    ),
    "Duration": (
        ("max_epochs", "max epochs", "Stop after this number of epochs; -1: no limit"),
        ("max_steps", "max steps", "Stop after this number of optimizer steps; -1: no limit"),
        ("max_time", "max time", "Stop after this time, as DD:HH:MM:SS"),
        ("min_epochs", "min epochs", "Train at least this many epochs, even if a callback stops"),
        ("min_steps", "min steps", "Train at least this many steps, even if a callback stops"),
        ("limit_train_batches", "limit train", "Fraction or number of training batches per epoch"),
        ("limit_val_batches", "limit val", "Fraction or number of validation batches"),
    ),
    "Optimizer": (
        ("accumulate_grad_batches", "accumulate", "Batches per optimizer step"),
        ("gradient_clip_val", "gradient clip", "Clip gradients at this value; 0: do not clip"),
        ("gradient_clip_algorithm", "clip algorithm", "Clip the norm of all gradients (norm), or each value (value)"),
    ),
    "Strategy": (
        ("ddp_find_unused_parameters", "find unused", "DDP: find parameters without a gradient"),
        ("ddp_static_graph", "static graph", "DDP: the graph is the same at every step"),
        ("ddp_gradient_as_bucket_view", "bucket view", "DDP: gradients are views of the buckets, without a copy"),
        ("ddp_bucket_cap_mb", "bucket cap mb", "DDP: size of a gradient bucket, MiB"),
        ("sync_batchnorm", "sync batchnorm", "Synchronise BatchNorm statistics over all devices"),
        ("fsdp_sharding_strategy", "sharding strategy", "FSDP: what is sharded, and over which ranks"),
        ("fsdp_cpu_offload", "cpu offload", "FSDP: offload parameters to main memory; slow"),
        ("fsdp_limit_all_gathers", "limit all gathers", "FSDP: limit prefetched all-gathers, to save memory"),
        ("fsdp_wrap_classes", "wrap classes", "FSDP: module classes to wrap, such as Block,MLP"),
        ("fsdp_wrap_min_params", "wrap min params", "FSDP: wrap modules with at least this many parameters"),
        ("deepspeed_stage", "ZeRO stage", "DeepSpeed: 1 shards optimizer, 2 gradients, 3 parameters"),
        ("deepspeed_offload_optimizer", "offload optimizer", "DeepSpeed: offload optimizer state to main memory"),
        ("deepspeed_offload_parameters", "offload parameters", "DeepSpeed: offload parameters to main memory"),
        ("deepspeed_nvme_path", "nvme path", "DeepSpeed: offload to this folder on an NVMe disk"),
        ("data_parallel_size", "data parallel", "model_parallel: devices of a data-parallel group"),
        ("tensor_parallel_size", "tensor parallel", "model_parallel: devices of a tensor-parallel group"),
    ),
    "Memory": (
        ("activation_checkpointing", "activation ckpt", "Module classes whose activations are recomputed"),
        ("compile", "compile", "Mode of torch.compile"),
    ),
    "Checkpoints": (
        ("enable_checkpointing", "checkpointing", "Lightning's own checkpoints: on or off"),
        ("default_root_dir", "default root dir", "Folder for checkpoints and logs"),
        ("ckpt_path", "ckpt path", "Checkpoint to resume from: a path, last, best; none: the start"),
        ("weights_only", "weights only", "Load tensors and plain values only; false trusts the file"),
        ("checkpoint_save_top_k", "save top k", "Number of best checkpoints to keep; -1: all, 0: none"),
        ("checkpoint_monitor", "monitor", "Logged metric by which checkpoints are ranked"),
        ("checkpoint_mode", "mode", "Whether the lowest (min) or the highest (max) value is best"),
        ("checkpoint_save_last", "save last", "Also keep last.ckpt"),
        ("checkpoint_on_exception", "save on exception", "Save a checkpoint when training fails"),
        ("checkpoint_dir", "checkpoint dir", "Folder for checkpoints"),
        ("checkpoint_every_n_steps", "save every n steps", "Optimizer steps between two checkpoints"),
    ),
    "Data": (
        ("batch_size", "batch size", "Samples per batch on each device"),
        ("num_workers", "num workers", "DataLoader workers per rank; 0: load in the training process"),
        ("pin_memory", "pin memory", "Page-lock batches, for faster copies to the GPU"),
        ("persistent_workers", "persistent workers", "Keep DataLoader workers between epochs"),
        ("prefetch_factor", "prefetch factor", "Batches that each worker loads ahead"),
        ("sharing_strategy", "sharing strategy", "How tensors leave workers; file_system holds no files open"),
    ),
    "Tuning": (
        ("auto_scale_batch_size", "scale batch size", "Find the largest batch size before the fit"),
        ("auto_lr_find", "auto lr find", "Find a learning rate before the fit"),
    ),
    "Validation": (
        ("val_check_interval", "val check interval", "Validate after a fraction of an epoch, or every N batches"),
        ("check_val_every_n_epoch", "val every n epoch", "Validate after every N epochs"),
        ("num_sanity_val_steps", "sanity val steps", "Validation batches before training; 0: none, -1: all"),
        ("early_stopping_monitor", "early stop monitor", "Logged metric that the script's EarlyStopping watches"),
    ),
    "Debugging": (
        ("log_every_n_steps", "log every n steps", "Steps between two log entries"),
        ("deterministic", "deterministic", "Use deterministic operations only; warn: warn where none exists"),
        ("benchmark", "benchmark", "Let cuDNN find its fastest algorithms, for inputs of one size"),
        ("detect_anomaly", "detect anomaly", "Name the operation whose gradient is NaN; slow"),
    ),
    "Process": (("env", "env", "Environment: NAME=VALUE, …; MASTER_PORT=free uses a free port"),),
}

GROUPS = tuple(_TABLE)
"""The groups of fields, in the order in which they are shown."""

FIELD_TEXTS: Mapping[str, FieldText] = MappingProxyType(
    {name: FieldText(group, label, text) for group, fields in _TABLE.items() for name, label, text in fields}
)
"""Every field of a plan, group by group."""

FLAGS = (
    "strategy",
    "precision",
    "accelerator",
    "devices",
    "num_nodes",
    "max_epochs",
    "max_steps",
    "max_time",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "val_check_interval",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "default_root_dir",
    "ckpt_path",
)
"""Fields with a flag of their own on the command line; the others go by `--set`."""
