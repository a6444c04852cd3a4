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
        ("strategy", "strategy", "How the work is shared among devices: auto, ddp, fsdp …"),
        ("precision", "precision", "Bits of the numbers: 32-true, bf16-mixed, 16-mixed …"),
        ("devices", "devices", "How many, -1 or auto for all, or a list such as 0,2"),
        ("accelerator", "accelerator", "Kind of device: auto, cpu, gpu, mps, tpu"),
        ("num_nodes", "num nodes", "Number of machines"),
    ),
    "Duration": (
        ("max_epochs", "max epochs", "End after so many epochs; -1 for no limit"),
        ("max_steps", "max steps", "End after so many optimizer steps; -1 for no limit"),
        ("max_time", "max time", "End after DD:HH:MM:SS"),
        ("min_epochs", "min epochs", "Train so many epochs even if a callback wants to stop"),
        ("min_steps", "min steps", "Train so many steps even if a callback wants to stop"),
        ("limit_train_batches", "limit train", "Share or number of the training batches"),
        ("limit_val_batches", "limit val", "Share or number of the validation batches"),
    ),
    "Optimizer": (
        ("accumulate_grad_batches", "accumulate", "Batches whose gradients make one optimizer step"),
        ("gradient_clip_val", "gradient clip", "Clip gradients at this; 0 does not clip"),
        ("gradient_clip_algorithm", "clip algorithm", "Clip the norm of all gradients, or each value"),
    ),
    "Strategy": (
        ("ddp_find_unused_parameters", "find unused", "DDP: look for parameters that got no gradient"),
        ("ddp_static_graph", "static graph", "DDP: the graph is the same in every step"),
        ("ddp_gradient_as_bucket_view", "bucket view", "DDP: gradients live in the buckets, no copy"),
        ("ddp_bucket_cap_mb", "bucket cap mb", "DDP: size of a gradient bucket, MiB"),
        ("sync_batchnorm", "sync batchnorm", "Batch statistics over all devices"),
        ("fsdp_sharding_strategy", "sharding strategy", "FSDP: what is sharded, and over what"),
        ("fsdp_cpu_offload", "cpu offload", "FSDP: keep parameters in main memory; slow"),
        ("fsdp_limit_all_gathers", "limit all gathers", "FSDP: gather less ahead, to save memory"),
        ("fsdp_wrap_classes", "wrap classes", "FSDP: module classes that each become a unit: Block,MLP"),
        ("fsdp_wrap_min_params", "wrap min params", "FSDP: modules of so many parameters become a unit"),
        ("deepspeed_stage", "ZeRO stage", "DeepSpeed: 1 shards optimizer, 2 gradients, 3 parameters"),
        ("deepspeed_offload_optimizer", "offload optimizer", "DeepSpeed: optimizer state in main memory"),
        ("deepspeed_offload_parameters", "offload parameters", "DeepSpeed: parameters in main memory"),
        ("deepspeed_nvme_path", "nvme path", "DeepSpeed: offload to this folder on an NVMe disk"),
        ("data_parallel_size", "data parallel", "model_parallel: devices of a data-parallel group"),
        ("tensor_parallel_size", "tensor parallel", "model_parallel: devices of a tensor-parallel group"),
    ),
    "Memory": (
        ("activation_checkpointing", "activation ckpt", "Module classes whose activations are computed anew"),
        ("compile", "compile", "Mode of torch.compile"),
    ),
    "Checkpoints": (
        ("enable_checkpointing", "checkpointing", "Lightning's own checkpoints, on or off"),
        ("default_root_dir", "default root dir", "Where checkpoints and logs go"),
        ("ckpt_path", "ckpt path", "Checkpoint to resume from: a path, last or best"),
        ("checkpoint_save_top_k", "save top k", "How many of the best; -1 all, 0 none"),
        ("checkpoint_monitor", "monitor", "Logged metric that says which are the best"),
        ("checkpoint_mode", "mode", "The lowest of the metric is the best, or the highest"),
        ("checkpoint_save_last", "save last", "Always keep last.ckpt too"),
        ("checkpoint_on_exception", "save on exception", "Save a checkpoint when the training fails"),
        ("checkpoint_dir", "checkpoint dir", "Folder of the checkpoints"),
        ("checkpoint_every_n_steps", "save every n steps", "Optimizer steps between two checkpoints"),
    ),
    "Data": (
        ("batch_size", "batch size", "Samples in a batch of each device"),
        ("num_workers", "num workers", "Processes per rank that load data; 0 loads in training itself"),
        ("pin_memory", "pin memory", "Page-locked batches, for a faster way to the GPU"),
        ("persistent_workers", "persistent workers", "Keep the loading processes between epochs"),
        ("prefetch_factor", "prefetch factor", "Batches that each loading process prepares ahead"),
    ),
    "Tuning": (
        ("auto_scale_batch_size", "scale batch size", "Before the fit, look for the largest batch size"),
        ("auto_lr_find", "auto lr find", "Before the fit, look for a learning rate"),
    ),
    "Validation": (
        ("val_check_interval", "val check interval", "Validate every share of an epoch, or every N batches"),
        ("check_val_every_n_epoch", "val every n epoch", "Validate after every N epochs"),
        ("num_sanity_val_steps", "sanity val steps", "Validation batches before training; 0 none, -1 all"),
    ),
    "Debugging": (
        ("log_every_n_steps", "log every n steps", "Steps between two entries of the logger"),
        ("deterministic", "deterministic", "Only operations with repeatable results; warn where none"),
        ("benchmark", "benchmark", "Let cuDNN look for its fastest algorithms: inputs of one size"),
        ("detect_anomaly", "detect anomaly", "Name the operation whose gradient is NaN; steps get slow"),
    ),
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
