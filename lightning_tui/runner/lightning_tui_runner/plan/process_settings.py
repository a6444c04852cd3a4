"""What a plan says of the process itself: its environment, and how torch shares and reads, whatever the script sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .options import TRUST_VARIABLE


def settle(plan: Mapping[str, Any]) -> None:
    """Keep the plan's variables as the supervisor has set them, and let torch read what the plan trusts."""
    asked = [str(each).partition("=") for each in plan.get("env") or ()]
    pinned = {name: os.environ.get(name, value) for name, _, value in asked}
    if plan.get("weights_only") is False:
        pinned[TRUST_VARIABLE] = "1"
    if pinned:
        os.environ.update(pinned)
        os.environ.__class__ = _pinning(pinned)  # of the object that every module has taken already


def _pinning(pinned: dict[str, str]) -> type[Any]:
    class Environ(type(os.environ)):  # type: ignore[misc]
        """An environment in which some variables keep their value until they are deleted."""

        def __setitem__(self, name: str, value: str) -> None:
            super().__setitem__(name, pinned.get(name, value))

    return Environ


def share_tensors(strategy: str) -> None:
    """Let tensors of other processes arrive so, from now on."""
    import torch.multiprocessing

    torch.multiprocessing.set_sharing_strategy(strategy)


def sharing_in_effect() -> str:
    """Torch's name of the way in which tensors of other processes arrive."""
    import torch.multiprocessing

    return torch.multiprocessing.get_sharing_strategy()


def variables_in_effect(asked: Any) -> list[str] | None:
    """The variables that were asked for, as they are."""
    names = [str(each).partition("=")[0] for each in asked or ()]
    return [f"{name}={os.environ[name]}" for name in names if name in os.environ] or None
