"""What is each field of a plan for? Its group, short name and help: one table for screen and command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

GROUPS = ("Basics", "How long", "Steps", "Strategy", "Memory", "Checkpoints", "Data", "Tuning", "Checks", "Process")
"""The groups of fields, in the order in which they are shown."""


class FieldText(NamedTuple):
    """How a field is spoken of."""

    group: str
    label: str
    """Ten letters at most: a label beside a value."""
    help: str
    """One line."""

    @property
    def sentence(self) -> str:
        """The help with a full stop, where it does not trail off."""
        return self.help if self.help.endswith("…") else f"{self.help}."


FIELD_TEXTS: Mapping[str, FieldText] = MappingProxyType(
    {
        "strategy": FieldText("Basics", "Strategy", "How the work is shared among devices: auto, ddp, fsdp …"),
        "precision": FieldText("Basics", "Precision", "Bits of the numbers: 32-true, bf16-mixed, 16-mixed …"),
        "devices": FieldText("Basics", "Devices", "How many, -1 or auto for all, or a list such as 0,2"),
        "accelerator": FieldText("Basics", "Hardware", "Kind of device: auto, cpu, gpu, mps, tpu"),
        "num_nodes": FieldText("Basics", "Nodes", "Number of machines"),
        "accumulate_grad_batches": FieldText("Steps", "Accumulate", "Batches whose gradients make one optimizer step"),
        "gradient_clip_val": FieldText("Steps", "Clip", "Clip gradients at this; 0 does not clip"),
        "gradient_clip_algorithm": FieldText("Steps", "Clip by", "Clip the norm of all gradients, or each value"),
        "max_epochs": FieldText("How long", "Epochs", "End after so many epochs; -1 for no limit"),
        "max_steps": FieldText("How long", "Steps", "End after so many optimizer steps; -1 for no limit"),
        "max_time": FieldText("How long", "Time", "End after DD:HH:MM:SS"),
        "min_epochs": FieldText("How long", "Min epochs", "Train so many epochs even if a callback wants to stop"),
        "min_steps": FieldText("How long", "Min steps", "Train so many steps even if a callback wants to stop"),
        "limit_train_batches": FieldText("How long", "Train on", "Share or number of the training batches"),
        "limit_val_batches": FieldText("How long", "Val on", "Share or number of the validation batches"),
        "val_check_interval": FieldText("Checks", "Val every", "Validate every share of an epoch, or every N batches"),
        "check_val_every_n_epoch": FieldText("Checks", "Val epochs", "Validate after every N epochs"),
        "num_sanity_val_steps": FieldText("Checks", "Sanity", "Validation batches before training; 0 none, -1 all"),
        "log_every_n_steps": FieldText("Checks", "Log every", "Steps between two entries of the logger"),
        "deterministic": FieldText("Checks", "Repeatable", "Only operations with repeatable results; warn where none"),
        "benchmark": FieldText("Checks", "Benchmark", "Let cuDNN look for its fastest algorithms: inputs of one size"),
        "detect_anomaly": FieldText("Checks", "Anomaly", "Name the operation whose gradient is NaN; steps get slow"),
        "ddp_find_unused_parameters": FieldText("Strategy", "Unused", "DDP: look for parameters that got no gradient"),
        "ddp_static_graph": FieldText("Strategy", "Static", "DDP: the graph is the same in every step"),
        "ddp_gradient_as_bucket_view": FieldText(
            "Strategy", "BucketView", "DDP: gradients live in the buckets, no copy"
        ),
        "ddp_bucket_cap_mb": FieldText("Strategy", "Bucket", "DDP: size of a gradient bucket, MiB"),
        "sync_batchnorm": FieldText("Strategy", "BatchNorm", "Batch statistics over all devices"),
        "fsdp_sharding_strategy": FieldText("Strategy", "Sharding", "FSDP: what is sharded, and over what"),
        "fsdp_cpu_offload": FieldText("Strategy", "Offload", "FSDP: keep parameters in main memory; slow"),
        "fsdp_limit_all_gathers": FieldText("Strategy", "Gathers", "FSDP: gather less ahead, to save memory"),
        "fsdp_wrap_classes": FieldText("Strategy", "Wrap", "FSDP: module classes that each become a unit: Block,MLP"),
        "fsdp_wrap_min_params": FieldText("Strategy", "Wrap from", "FSDP: modules of so many parameters become a unit"),
        "deepspeed_stage": FieldText("Strategy", "ZeRO", "DeepSpeed: 1 shards optimizer, 2 gradients, 3 parameters"),
        "deepspeed_offload_optimizer": FieldText("Strategy", "Opt. away", "DeepSpeed: optimizer state in main memory"),
        "deepspeed_offload_parameters": FieldText("Strategy", "Par. away", "DeepSpeed: parameters in main memory"),
        "deepspeed_nvme_path": FieldText("Strategy", "NVMe", "DeepSpeed: offload to this folder on an NVMe disk"),
        "data_parallel_size": FieldText("Strategy", "Data par.", "model_parallel: devices of a data-parallel group"),
        "tensor_parallel_size": FieldText(
            "Strategy", "Tensor p.", "model_parallel: devices of a tensor-parallel group"
        ),
        "batch_size": FieldText("Data", "Batch", "Samples in a batch of each device"),
        "num_workers": FieldText("Data", "Workers", "Processes per rank that load data; 0 loads in training itself"),
        "pin_memory": FieldText("Data", "Pinned", "Page-locked batches, for a faster way to the GPU"),
        "persistent_workers": FieldText("Data", "Persistent", "Keep the loading processes between epochs"),
        "prefetch_factor": FieldText("Data", "Prefetch", "Batches that each loading process prepares ahead"),
        "sharing_strategy": FieldText("Data", "Sharing", "How loaded tensors travel: file_system holds no files open"),
        "activation_checkpointing": FieldText(
            "Memory", "Recompute", "Module classes whose activations are computed anew"
        ),
        "compile": FieldText("Memory", "Compile", "Mode of torch.compile"),
        "enable_checkpointing": FieldText("Checkpoints", "Saving", "Lightning's own checkpoints, on or off"),
        "default_root_dir": FieldText("Checkpoints", "Root", "Where checkpoints and logs go"),
        "ckpt_path": FieldText(
            "Checkpoints", "Resume", "Checkpoint to resume from: a path, last or best; none begins anew"
        ),
        "weights_only": FieldText(
            "Checkpoints", "Read only", "Read tensors and plain values alone; false trusts the file"
        ),
        "checkpoint_save_top_k": FieldText("Checkpoints", "Keep best", "How many of the best; -1 all, 0 none"),
        "checkpoint_monitor": FieldText("Checkpoints", "Monitor", "Logged metric that says which are the best"),
        "checkpoint_mode": FieldText("Checkpoints", "Best is", "The lowest of the metric is the best, or the highest"),
        "early_stopping_monitor": FieldText(
            "Checks", "Stops by", "Logged metric that the script's EarlyStopping watches"
        ),
        "checkpoint_save_last": FieldText("Checkpoints", "Keep last", "Always keep last.ckpt too"),
        "checkpoint_on_exception": FieldText("Checkpoints", "On error", "Save a checkpoint when the training fails"),
        "checkpoint_dir": FieldText("Checkpoints", "Saved to", "Folder of the checkpoints"),
        "checkpoint_every_n_steps": FieldText("Checkpoints", "Save every", "Optimizer steps between two checkpoints"),
        "auto_scale_batch_size": FieldText("Tuning", "Find batch", "Before the fit, look for the largest batch size"),
        "auto_lr_find": FieldText("Tuning", "Find lr", "Before the fit, look for a learning rate"),
        "env": FieldText("Process", "Variables", "Environment: NAME=VALUE, …; MASTER_PORT=free takes a free port"),
    }
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
