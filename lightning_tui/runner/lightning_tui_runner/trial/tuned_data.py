"""What both searches of a tuning share: the program's model and data as Lightning's Tuner takes them, and the plan."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection
from typing import Any

from ..plan.plan_in_effect import PlanInEffect
from ..process.reporter import warn
from .order import Order


def data_of(call: dict[str, Any], flavour: str) -> tuple[Any, Any]:
    """Return the model, and a data module or `None` where the model has its loaders itself.

    Lightning searches only over loaders that a module makes: loaders passed to `fit` are put into a data module.
    """
    model = getattr(call["model"], "_orig_mod", call["model"])  # of torch.compile
    train, data = call.get("train_dataloaders"), call.get("datamodule")
    data_class = importlib.import_module(flavour).LightningDataModule
    if isinstance(train, data_class):
        return model, train
    if train is None:
        return model, data
    return model, _with_loaders(data_class(), train, call.get("val_dataloaders"))


def _with_loaders(data: Any, train: Any, val: Any) -> Any:
    data.train_dataloader = lambda: train
    if val is not None:
        data.val_dataloader = lambda: val
    return data


def planned(order: Order, trainer: Any, model: Any, *, leave_out: Collection[str]) -> None:
    """Let the plan's changes to the model and, but for the fields left out, to the loaders be in effect."""
    plan = {
        name: value
        for name, value in order.plan.items()
        if name not in leave_out and not name.startswith(("checkpoint_", "auto_"))
    }
    PlanInEffect(plan, {}, warn).begin(trainer, model, "fit")


def tell_device(order: Order, trainer: Any, **more: object) -> None:
    """Say where it is done, and what is known before it begins."""
    device = trainer.strategy.root_device
    name = "CPU"
    if device.type == "cuda":
        import torch

        name = torch.cuda.get_device_name(device)
    uses_cli = f"{order.flavour}.cli" in sys.modules
    order.say(
        "begun", device=str(device), device_name=name, precision=str(trainer.precision), uses_cli=uses_cli, **more
    )
