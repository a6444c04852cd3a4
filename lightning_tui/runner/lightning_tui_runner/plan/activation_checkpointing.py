"""Compute the activations of some modules anew in the backward pass: slower, with the memory of one of them at a time.

Only what a module's `forward` does is changed, with torch's own `checkpoint`, which torch's wrappers call too. So the
tree of modules, the names of parameters and the keys of checkpoints stay those of a bare run, and sharding that the
model has been given (`fully_shard`) stays outside of what is computed twice.
"""

from __future__ import annotations

import functools
from typing import Any

from .module_classes import OfClasses, class_name


def checkpoint_activations(model: Any, names: list[str]) -> list[Any]:
    """Let all modules of the named classes below `model` recompute; returns those that do now."""
    from torch.utils.checkpoint import checkpoint

    is_meant = OfClasses(names)
    chosen = [m for m in model.modules() if m is not model and is_meant(m) and not recomputes(m)]
    for module in chosen:
        module.forward = functools.partial(checkpoint, module.forward, use_reentrant=False)
    return chosen


def give_back(modules: list[Any]) -> None:
    """Give the modules their own `forward` again."""
    for module in modules:
        if recomputes(module):
            inner = module.forward.args[0]
            if getattr(inner, "__func__", None) is type(module).forward:
                del module.forward
            else:  # it had one of its own before
                module.forward = inner


def recomputes(module: Any) -> bool:
    """Whether a module computes its activations anew: told by us, by torch's wrapper or by FSDP's policy."""
    from torch.utils.checkpoint import checkpoint

    forward = vars(module).get("forward")
    return hasattr(module, "_checkpoint_wrapped_module") or (
        isinstance(forward, functools.partial) and forward.func is checkpoint
    )


def recomputed_classes(model: Any) -> list[str] | None:
    """Names of the classes that compute their activations anew; `None` where there are none."""
    chosen = [getattr(m, "_checkpoint_wrapped_module", m) for m in model.modules() if recomputes(m)]
    return sorted({class_name(module) for module in chosen}) or None
