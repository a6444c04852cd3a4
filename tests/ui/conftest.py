"""Compare what stands on the screen with stored text grids.

`LIGHTNING_TUI_UPDATE_SNAPSHOTS=1 pytest tests/ui` writes them anew; review the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lightning_tui.ui.app import CockpitApp
from tests.ui.support import CheckGrid, text_grid

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "LIGHTNING_TUI_UPDATE_SNAPSHOTS"


@pytest.fixture
def check_grid() -> CheckGrid:
    """Compare the screen with `snapshots/<name>.txt`."""

    def check(app: CockpitApp, name: str) -> None:
        path = SNAPSHOTS / f"{name}.txt"
        grid = text_grid(app)
        if os.environ.get(UPDATE):
            SNAPSHOTS.mkdir(exist_ok=True)
            path.write_text(grid)
        assert path.exists(), f"{path} is missing: write it with {UPDATE}=1"
        assert grid == path.read_text(), (
            f"the screen differs from {path.name}; if it is better, write it with {UPDATE}=1"
        )

    return check
