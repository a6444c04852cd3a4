"""How does the loss answer to the learning rate? Lightning's own range test on the program's model and data."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from ..process.events import number
from .order import Order
from .tuned_data import data_of, planned, tell_device

ATTRIBUTES = ("lr", "learning_rate")
"""Where Lightning looks, on the model and in its hyperparameters (`tuner/lr_finder.py`)."""


def act(order: Order, trainer: Any, call: dict[str, Any]) -> None:
    """Test, and say the curve and what Lightning suggests."""
    model, data = data_of(call, order.flavour)
    if not model.automatic_optimization:
        order.say("refused", reason="manual_optimization", detail="")
        return
    # Validation at the end of each epoch would only take time: the curve is of training losses.
    trainer.check_val_every_n_epoch = 1 << 30
    planned(order, trainer, model, leave_out=())
    tell_device(order, trainer, attribute=_attribute(model))
    _report_points(order, trainer, model)
    finder = _test(order, trainer, model, data)
    rates, losses = finder.results["lr"], finder.results["loss"]
    order.say(
        "rate_found",
        suggestion=finder.suggestion() if len(losses) else None,
        points=[(rate, number(loss)) for rate, loss in zip(rates, losses, strict=False)],
        wanted=order.options["num_steps"],
    )


def _test(order: Order, trainer: Any, model: Any, data: Any) -> Any:
    tuner = importlib.import_module(f"{order.flavour}.tuner").Tuner(trainer)
    options = order.options
    wanted = {
        "min_lr": options["min"],
        "max_lr": options["max"],
        "num_training": options["num_steps"],
        "update_attr": False,  # so it needs no attribute
    }
    known = inspect.signature(tuner.lr_find).parameters
    return tuner.lr_find(model, datamodule=data, **{name: value for name, value in wanted.items() if name in known})


def _report_points(order: Order, trainer: Any, model: Any) -> None:
    """Tell each point as it comes: the test's callback, the only one at the time, has it when the model is asked."""
    original = model.on_train_batch_end
    told = 0

    def on_train_batch_end(*args: Any, **kwargs: Any) -> Any:
        nonlocal told
        test: Any = trainer.callbacks[0] if trainer.callbacks else None
        losses = getattr(test, "losses", None)
        if losses and len(losses) > told:
            told = len(losses)
            order.say("point", number=told, lr=test.lrs[told - 1], loss=number(losses[-1]))
        return original(*args, **kwargs)

    model.on_train_batch_end = on_train_batch_end


def _attribute(model: Any) -> str | None:
    """Where the program keeps its learning rate, as code says it: `self.lr`, `self.hparams.learning_rate`."""
    for name in ATTRIBUTES:
        if hasattr(model, name):
            return f"self.{name}"
        if name in getattr(model, "hparams", {}):
            return f"self.hparams.{name}"
    return None
