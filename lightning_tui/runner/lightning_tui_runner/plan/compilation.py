"""Compile what computes in a model, in place: its names and its checkpoints' keys stay.

Not through Lightning's `torch.compile(LightningModule)`, which traces whole steps: what they log, and how Lightning
takes that in, is Python that not every torch can trace. Here the model's `forward` and its submodules are compiled, and
the steps around them run as they are. That works under every strategy, too.
"""

from __future__ import annotations

from typing import Any


def compile_model(module: Any, mode: str) -> None:
    """Compile a LightningModule's own `forward`, where it has one, and its submodules; each when it is first called."""
    import torch

    if "forward" in vars(type(module)):
        module.forward = torch.compile(module.forward, mode=mode)
    for part in _parts(module):
        part.compile(mode=mode)


def uncompile(module: Any) -> None:
    """Give the module its own code again: a compiled `forward` cannot be pickled with it."""
    if hasattr(vars(module).get("forward"), "get_compiler_config"):
        del module.forward
    for part in _parts(module):
        part._compiled_call_impl = None


def compiled_mode(module: Any) -> str | None:
    """Return the mode that the model is compiled in; `None` where it is not compiled."""
    compiled = [vars(module).get("forward"), *(part._compiled_call_impl for part in _parts(module))]
    configurations = [code.get_compiler_config() for code in compiled if hasattr(code, "get_compiler_config")]
    if not configurations:
        return None
    settings = configurations[0] or {}
    if settings.get("max_autotune"):
        return "max-autotune"
    return "reduce-overhead" if settings.get("triton.cudagraphs") else "default"


def _parts(module: Any) -> list[Any]:
    """The uppermost submodules that compute with parameters; metrics have none, and lists of modules no `forward`."""
    parts = []
    for child in module.children():
        if type(child).__name__ in ("ModuleList", "ModuleDict"):
            parts += _parts(child)
        elif next(child.parameters(), None) is not None:
            parts.append(child)
    return parts
