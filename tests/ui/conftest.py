"""Compare what stands on the screen, and in which colours, with what is stored.

`LIGHTNING_TUI_UPDATE_SNAPSHOTS=1 pytest tests/ui` writes them anew; review the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual import constants

from tests.ui.colours import styled_cells
from tests.ui.support import CheckGrid, text_grid

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "LIGHTNING_TUI_UPDATE_SNAPSHOTS"


@pytest.fixture(autouse=True)
def terminal_with_all_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever terminal the tests are started from."""
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def check_grid() -> CheckGrid:
    """Compare the screen's text with `snapshots/<name>.txt`."""
    return lambda app, name: _compare(text_grid(app), SNAPSHOTS / f"{name}.txt")


@pytest.fixture
def check_colours() -> CheckGrid:
    """Compare the screen's colours and attributes with `snapshots/colours/<name>.txt`."""
    return lambda app, name: _compare(styled_cells(app), SNAPSHOTS / "colours" / f"{name}.txt")


def _compare(shown: str, path: Path) -> None:
    if os.environ.get(UPDATE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown)
    assert path.exists(), f"{path} is missing: write it with {UPDATE}=1"
    assert shown == path.read_text(), f"the screen differs from {path.name}; if it is better, write it with {UPDATE}=1"
