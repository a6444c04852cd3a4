"""Warnings worth a hint: the run goes on, but not as it could. Said only where nothing worse is wrong."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, do, printed, raised

RULES = (
    Rule(
        category="dataloader-workers-warning",
        title="The number of loader workers does not suit this machine",
        cause="Lightning or PyTorch suggests another number: too few starve the GPU, too many fight for the CPUs.",
        signs=(
            printed("does not have many workers which may be a bottleneck"),
            printed("this dataloader will create", "worker processes in total", weight=58),
            printed("num_workers", "bottleneck"),
            printed("excessive worker creation might", weight=57),
            printed("consider setting `persistent_workers=true`", weight=56),
        ),
        severity="warning",
        suggestions=(
            do("Use as many workers as this machine has CPUs for each rank.", computed="more_workers"),
            do("Keep them between epochs.", persistent_workers=True),
        ),
        docs=f"{LIGHTNING_DOCS}/advanced/speed.html#dataloaders",
        examples=(
            "The 'train_dataloader' does not have many workers which may be a bottleneck. Consider increasing the value of the `num_workers` argument",
            "UserWarning: This DataLoader will create 16 worker processes in total. Our suggested max number of worker in current system is 2",
        ),
    ),
    Rule(
        category="log-interval-warning",
        title="Too few batches for the logging interval",
        cause="[[There are {batches} training batches, and log_every_n_steps is {interval}: ]]nothing of the training would be logged.",
        signs=(
            printed(
                "is smaller than the logging interval",
                pattern=r"\((?P<batches>\d+)\) is smaller than the logging interval Trainer\(log_every_n_steps=(?P<interval>\d+)\)",
                nowhere=("fast_dev_run", "`max_steps=", "`trainer.fit` stopped:", "trainer.fit stopped:"),
            ),
        ),
        severity="warning",
        weight=50,
        suggestions=(do("Log every step.", log_every_n_steps=1),),
        docs=f"{LIGHTNING_DOCS}/extensions/logging.html",
        examples=(
            "The number of training batches (8) is smaller than the logging interval Trainer(log_every_n_steps=50). Set a lower value for log_every_n_steps if you want to see logs for the training epoch.",
        ),
    ),
    Rule(
        category="sync-dist-warning",
        title="An epoch's metric is not averaged over the ranks",
        cause="[[{metric!r} is logged on epoch level without sync_dist: rank 0's share alone is shown and monitored.]]",
        signs=(
            printed("sync_dist=true", "recommended", pattern=r"self\.log\('(?P<metric>[^']{1,80})'"),
            printed("it is recommended to use `self.log(", "sync_dist"),
        ),
        severity="warning",
        weight=64,
        suggestions=(do("Write self.log(name, value, sync_dist=True), or log a torchmetrics object.", in_code=True),),
        docs=f"{LIGHTNING_DOCS}/extensions/logging.html",
        examples=(
            "It is recommended to use `self.log('val_loss', ..., sync_dist=True)` when logging on epoch level in distributed setting to accumulate the metric across devices.",
        ),
    ),
    Rule(
        category="ddp-find-unused-unneeded-warning",
        title="DDP looks for unused parameters, and there are none",
        cause="find_unused_parameters=True costs a walk through the graph at every step.",
        signs=(
            printed(
                "find_unused_parameters=true was specified in ddp constructor, but did not find any unused parameters"
            ),
            printed("did not find any unused parameters in the forward pass"),
        ),
        severity="warning",
        weight=64,
        suggestions=(do("Switch it off.", ddp_find_unused_parameters=False, strategy="ddp"),),
        docs=f"{LIGHTNING_DOCS}/advanced/ddp_optimizations.html",
        examples=(
            "[W reducer.cpp:1346] Warning: find_unused_parameters=True was specified in DDP constructor, but did not find any unused parameters in the forward pass.",
        ),
    ),
    Rule(
        category="batch-size-inference-warning",
        title="Lightning cannot tell the batch's size",
        cause="It weighs epoch means by the batch's size, and the batch's structure is ambiguous or holds no tensor.",
        signs=(
            printed("trying to infer the `batch_size` from an ambiguous collection"),
            raised("could not infer the batch_size from the batch"),
            printed("could not infer the batch_size"),
            raised("with `def training_step(self, dataloader_iter)`", "batch_size"),
        ),
        severity="warning",
        weight=63,
        suggestions=(do("Say it: self.log(name, value, batch_size=x.size(0)).", in_code=True),),
        docs=f"{LIGHTNING_DOCS}/extensions/logging.html",
        examples=(
            "Trying to infer the `batch_size` from an ambiguous collection. The batch size we found is 32. To avoid any miscalculations, use `self.log(..., batch_size=batch_size)`.",
        ),
    ),
    Rule(
        category="hparams-warning",
        title="A whole module is saved among the hyper-parameters",
        cause="[[{name!r} is an nn.Module: it is pickled into every checkpoint beside its weights.]]",
        signs=(
            printed(
                "is an instance of `nn.module` and is already saved during checkpointing",
                pattern=r"Attribute '(?P<name>\w+)'",
            ),
            printed("save_hyperparameters(ignore="),
        ),
        severity="warning",
        weight=62,
        suggestions=(do("self.save_hyperparameters(ignore=[{name!r}])", in_code=True),),
        docs=f"{LIGHTNING_DOCS}/common/checkpointing_basic.html#save-hyperparameters",
        examples=(
            "Attribute 'model' is an instance of `nn.Module` and is already saved during checkpointing. It is recommended to ignore them using `self.save_hyperparameters(ignore=['model'])`.",
        ),
    ),
    Rule(
        category="training-step-none-warning",
        title="training_step returned None",
        cause="Lightning skips the step: nothing is learnt from that batch.",
        signs=(
            printed("training_step` returned `none`"),
            printed("returned none", "training_step"),
        ),
        severity="warning",
        weight=64,
        suggestions=(
            do(
                "Return the loss on every way through training_step; None only where a batch shall be skipped.",
                in_code=True,
            ),
        ),
        docs=f"{LIGHTNING_DOCS}/common/lightning_module.html#training-step",
        examples=("`training_step` returned `None`. If this was on purpose, ignore this warning...",),
    ),
    Rule(
        category="val-loop-skipped-warning",
        title="Validation is skipped",
        cause="There is a validation loader, and no validation_step to use it.",
        signs=(
            printed("you passed in a `val_dataloader` but have no `validation_step`"),
            printed("val_dataloader", "no `validation_step`"),
        ),
        severity="warning",
        weight=64,
        suggestions=(do("Write validation_step, or leave the loader out.", in_code=True),),
        docs=f"{LIGHTNING_DOCS}/common/lightning_module.html#validation-loop",
        examples=("You passed in a `val_dataloader` but have no `validation_step`. Skipping val loop.",),
    ),
)
