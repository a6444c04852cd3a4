"""Change a module right after it has been imported, without importing anything ourselves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from .tracebacks import leave_no_frame

FLAVOURS = ("lightning.pytorch", "pytorch_lightning")
"""The packages that Lightning comes in."""

Patch = Callable[[ModuleType], None]


class PatchingFinder:
    """A finder for `sys.meta_path` that lets the others find a module and patches it once its code has run."""

    def __init__(self, patches: Mapping[str, Patch], on_trouble: Callable[[Exception], None]) -> None:
        self._patches = patches
        self._on_trouble = on_trouble

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find one of our modules through the other finders; `None`, at the cost of a look-up, for all others."""
        if name not in self._patches:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None) if finder is not self else None
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                self._prepare(spec)
                return spec
        return None

    def install(self) -> None:
        """Stand before the other finders, and patch those of our modules that were imported already."""
        sys.meta_path.insert(0, self)
        for name in self._patches:
            if name in sys.modules:
                self._patch(sys.modules[name], name)

    def _prepare(self, spec: ModuleSpec) -> None:
        loader, name = spec.loader, spec.name
        execute = getattr(loader, "exec_module", None)
        if loader is None or execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            try:
                execute(module)
            except BaseException as error:
                leave_no_frame(error)
                raise
            if module.__name__ == name:
                self._patch(module, name)

        try:
            # On this one loader object: its class, and so all that Python asks of a loader, stays what it is.
            loader.exec_module = exec_module  # type: ignore[method-assign]
        except AttributeError as error:
            self._on_trouble(error)

    def _patch(self, module: ModuleType, name: str) -> None:
        try:
            self._patches[name](module)
        except Exception as error:  # noqa: BLE001  # fail open: an import of the program's never fails because of us
            self._on_trouble(error)
