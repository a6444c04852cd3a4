"""Lightning in the tests' own process, for those that look at its objects without training."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def imported_parts() -> Iterator[Any]:
    """The module `lightning_parts`. Importing and compiling set variables in the environment; they are taken back."""
    before = dict(os.environ)
    pytest.importorskip("lightning")
    yield importlib.import_module(".lightning_parts", __package__)
    current = os.environ.get("PYTEST_CURRENT_TEST")
    os.environ.clear()
    os.environ.update(before if current is None else {**before, "PYTEST_CURRENT_TEST": current})
