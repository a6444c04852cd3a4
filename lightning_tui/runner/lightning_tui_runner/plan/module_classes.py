"""Which modules of a model does a plan mean by the name of a class?"""

from __future__ import annotations

import collections
from typing import Any


class OfClasses:
    """Tells the modules of some classes, as `isinstance` would, by the classes' names. Pickles with its owner."""

    def __init__(self, names: list[str]) -> None:
        """Take names such as `Block`, or `package.module.Block`."""
        self.names = names

    def __call__(self, module: Any) -> bool:
        """Whether the module is of one of the classes, or of a class derived from one."""
        return any(_goes_by(base, name) for base in type(module).__mro__ for name in self.names)

    def __repr__(self) -> str:
        return f"OfClasses({self.names})"


def class_name(module: Any) -> str:
    """Name of a module's class; `fully_shard` gives it one of its own, made of the program's."""
    class_ = type(module)
    if class_.__bases__[0].__name__ == "FSDPModule":
        class_ = class_.__bases__[1]
    return class_.__name__


def commonest_classes(model: Any, most: int = 8) -> list[str]:
    """Names of the classes of a model's modules, the commonest first: what a plan could have named."""
    counts = collections.Counter(class_name(module) for module in model.modules() if module is not model)
    return [name for name, _ in counts.most_common(most)]


def _goes_by(class_: type, name: str) -> bool:
    return (
        name == class_.__qualname__ or name == class_.__name__ or name == f"{class_.__module__}.{class_.__qualname__}"
    )
