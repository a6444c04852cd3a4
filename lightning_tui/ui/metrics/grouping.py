"""Which metrics belong together: train and validation curves of one quantity, found by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.text.safe import harmless

if TYPE_CHECKING:
    from lightning_tui.record.series import Series, SeriesPoint

_ROLES = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev"), "val"),
    "test": "test",
}
_RATE = re.compile(r"^(?:lr|learning_rate)\b|^lr-", re.IGNORECASE)
RATES = "lr"
"""Name of the quantity that all learning rates are."""

_TOKENS = {"train": "train", "val": "val", "train epoch": "third", "val step": "fourth", "test": "fifth"}
_SPARE = ("third", "fifth", "fourth")


class Member(NamedTuple):
    """One series of a quantity: `train`, `val`, `test`, `train epoch` or `val step`; else it goes by its own name."""

    role: str
    name: str


class Quantity(NamedTuple):
    """One thing that is measured, and its series in the order in which they are told."""

    name: str
    members: tuple[Member, ...]

    def tokens(self) -> list[str]:
        """Colour of each member, one hue a curve."""
        spare = iter(_SPARE * len(self.members))
        first = "train" if self.members and self.members[0].role not in _TOKENS else None
        return [
            _TOKENS.get(member.role) or (first if first and place == 0 else next(spare))
            for place, member in enumerate(self.members)
        ]


def quantities(names: Iterable[str]) -> list[Quantity]:
    """Group metric names: `train_loss`, `train_loss_step` and `val/loss` are one quantity, `loss`.

    Losses come first, learning rates last, the rest by name; what is measured in training and in validation leads.
    """
    grouped: dict[str, dict[str, list[str]]] = {}
    rates = []
    for name in sorted(names):
        if _RATE.search(name):
            rates.append(name)
            continue
        base, role = _base_and_role(harmless(name))
        grouped.setdefault(base, {}).setdefault(role, []).append(name)
    found = [Quantity(base, tuple(_members(roles))) for base, roles in grouped.items()]
    found.sort(key=lambda quantity: (_rank_of(quantity), quantity.name))
    return [*found, Quantity(RATES, tuple(Member(harmless(name), name) for name in rates))] if rates else found


def learning_rate(names: Iterable[str]) -> str | None:
    """Name of the series that is the learning rate."""
    return next((name for name in sorted(names) if _RATE.search(name)), None)


def falls(quantity: Quantity) -> bool:
    """Whether less is better, as far as the name tells."""
    from lightning_tui.record import best  # not for the first frame

    return best.falls(quantity.name)


def rises(quantity: Quantity) -> bool:
    """Whether more is better, as far as the name tells."""
    from lightning_tui.record import best  # not for the first frame

    return best.rises(quantity.name)


def best_point(quantity: Quantity, known: Mapping[str, Series]) -> tuple[Member, SeriesPoint] | None:
    """The best value of the quantity in validation, and where; without validation, of a test.

    `None` where it is not known which way is better.
    """
    for role in ("val", "test"):
        for member in quantity.members:
            series = known.get(member.name)
            if member.role == role and series is not None:
                point = series.lowest_point if falls(quantity) else series.highest_point if rises(quantity) else None
                return (member, point) if point is not None else None
    return None


def _base_and_role(name: str) -> tuple[str, str]:
    plain = re.sub(r"_(?:step|epoch)$", "", name).lower()
    parts = [part for part in re.split(r"[/_.\-\s]+", plain) if part]
    for place in (0, -1):
        word = parts[place] if len(parts) > 1 else ""
        if word in _ROLES:
            rest = parts[1:] if place == 0 else parts[:-1]
            return "_".join(rest), _ROLES[word]
    return plain, "train"


def _members(roles: Mapping[str, list[str]]) -> Iterable[Member]:
    for role in ("train", "val", "test"):
        names = roles.get(role, [])
        by_step = [name for name in names if name.endswith("_step")]
        by_epoch = [name for name in names if name.endswith("_epoch")]
        plain = [name for name in names if name not in by_step and name not in by_epoch]
        if by_step and by_epoch:
            plain = []  # Lightning's third name for the same values
        if role == "train":
            yield from _as_members("train", by_step or plain or by_epoch)
            yield from _as_members("train epoch", by_epoch if by_step or plain else [])
        else:
            yield from _as_members(role, by_epoch or plain or by_step)
            yield from _as_members(f"{role} step", by_step if by_epoch or plain else [])


def _as_members(role: str, names: list[str]) -> Iterable[Member]:
    """The first name goes by the role, others (`loss/train` beside `train_loss`) by themselves."""
    for place, name in enumerate(names):
        yield Member(role if place == 0 else harmless(name), name)


def _rank_of(quantity: Quantity) -> int:
    if quantity.name == "loss":
        return 0
    if "loss" in quantity.name:
        return 1
    return 2 if len({member.role for member in quantity.members}) > 1 else 3
