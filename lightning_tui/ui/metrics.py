"""Which metrics belong together: train and validation curves of one quantity, found by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_TRAIN = frozenset({"train", "training", "trn"})
_VALIDATION = frozenset({"val", "valid", "validation", "eval", "dev", "test"})
_RATE = re.compile(r"^(?:lr|learning_rate)\b|^lr-", re.IGNORECASE)


class Quantity(NamedTuple):
    """One thing that is measured, and the names of its series."""

    name: str
    train: str | None
    validation: str | None


def quantities(names: Iterable[str]) -> list[Quantity]:
    """Group metric names: `train_loss`, `train_loss_step` and `val/loss` are one quantity, `loss`.

    Losses come first, the rest by name. Learning rates are not among them, see `learning_rate`.
    """
    grouped: dict[str, dict[str, list[str]]] = {}
    for name in sorted(names):
        if not _RATE.search(name):
            base, role = _base_and_role(name)
            grouped.setdefault(base, {}).setdefault(role, []).append(name)
    found = [
        Quantity(base, _preferred(roles.get("train"), "_step"), _preferred(roles.get("validation"), "_epoch"))
        for base, roles in grouped.items()
    ]
    return sorted(found, key=lambda quantity: (_rank_of(quantity), quantity.name))


def learning_rate(names: Iterable[str]) -> str | None:
    """Name of the series that is the learning rate."""
    return next((name for name in sorted(names) if _RATE.search(name)), None)


def chosen(found: list[Quantity], name: str | None) -> Quantity | None:
    """The quantity of that name, else the main one."""
    return next((quantity for quantity in found if quantity.name == name), found[0] if found else None)


def following(found: list[Quantity], name: str | None) -> str | None:
    """Name of the quantity after this one, around the corner."""
    current = chosen(found, name)
    if current is None:
        return None
    return found[(found.index(current) + 1) % len(found)].name


def falls(quantity: Quantity) -> bool:
    """Whether less is better, as far as the name tells."""
    return any(word in quantity.name for word in ("loss", "error", "perplexity", "ppl", "mse", "mae", "rmse"))


def series_of(quantity: Quantity, known: Mapping[str, object]) -> list[tuple[str, str]]:
    """`(role, series name)` of what there is to draw."""
    pairs = (("train", quantity.train), ("val", quantity.validation))
    return [(role, name) for role, name in pairs if name is not None and name in known]


def _base_and_role(name: str) -> tuple[str, str]:
    plain = re.sub(r"_(?:step|epoch)$", "", name).lower()
    parts = [part for part in re.split(r"[/_.\-\s]+", plain) if part]
    for place in (0, -1):
        word = parts[place] if len(parts) > 1 else ""
        if word in _TRAIN or word in _VALIDATION:
            rest = parts[1:] if place == 0 else parts[:-1]
            return "_".join(rest), "train" if word in _TRAIN else "validation"
    return plain, "train"


def _preferred(names: list[str] | None, suffix: str) -> str | None:
    """Of `x`, `x_step` and `x_epoch`: the one with the suffix, else the plain one, else whatever there is."""
    if not names:
        return None
    plain = [name for name in names if not name.endswith(("_step", "_epoch"))]
    return next((name for name in names if name.endswith(suffix)), (plain or names)[0])


def _rank_of(quantity: Quantity) -> int:
    if quantity.name == "loss":
        return 0
    if "loss" in quantity.name:
        return 1
    return 2 if quantity.train and quantity.validation else 3
