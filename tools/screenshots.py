"""Draw the cockpit as SVG and PNG into `screenshots/`: `python tools/screenshots.py [FOLDER]`.

The scenes are the invented ones of the tests, so their pictures are the same on every machine. One more, `demo`, is
drawn of a real run of the demo on this machine: that takes about a minute and needs torch and lightning.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import resvg_py
from textual.app import App

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
os.environ.pop("NO_COLOR", None)

from lightning_tui.launch import request_kill, resolve_program, start_run  # noqa: E402 - it may not be installed
from lightning_tui.plan.model import Plan  # noqa: E402
from lightning_tui.record import RunDirectory, RunStore, read_snapshot  # noqa: E402
from lightning_tui.settings import Settings  # noqa: E402
from lightning_tui.ui import CockpitOptions  # noqa: E402
from lightning_tui.ui.app import CockpitApp  # noqa: E402
from lightning_tui.ui.services import real_services  # noqa: E402
from lightning_tui.ui.theme import DARK, LIGHT  # noqa: E402
from tests.ui import scenes  # noqa: E402

DEMO_SHARE = 0.3
"""How much of the demo is trained when its picture is drawn."""
DEMO_PATIENCE_S = 300.0

SIZES = {"80x24": (80, 24), "120x36": (120, 36), "200x50": (200, 50)}

SCENES = {
    "idle": None,
    "training": scenes.training,
    "validating-cpu": scenes.validating_on_cpu,
    "failed": scenes.failed,
    "finished": scenes.finished,
    "stopping": scenes.stopping,
    "nan": scenes.broken_loss,
}


async def draw(name: str, size: tuple[int, int], target: Path, theme: str) -> None:
    """Draw one scene at one size."""
    with tempfile.TemporaryDirectory() as folder:
        make = SCENES[name]
        app = scenes.cockpit(Path(folder), make(Path(folder)) if make else None)
        async with app.run_test(size=size) as pilot:
            app.theme = theme
            await scenes.settle(app, pilot)
            save(app, target)


def save(app: App[None], target: Path) -> None:
    """Write the screen as SVG and PNG."""
    svg = app.export_screenshot(title="lightning-tui")
    target.with_suffix(".svg").write_text(svg)
    png = resvg_py.svg_to_bytes(svg_string=svg, font_family="Fira Code", monospace_family="Fira Code", zoom=1)
    target.with_suffix(".png").write_bytes(bytes(png))


async def draw_demo(target: Path) -> None:
    """Train the demo for a while, and draw the cockpit attached to it.

    Raises:
        TimeoutError: it did not come far enough.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-tui-") as folder:
        home = Path(folder) / "runs"
        interpreter = Path(sys.executable)
        program = resolve_program(
            ["demo"], interpreter=interpreter, interpreter_is_given=False, folder=ROOT, environ=os.environ
        )
        directory = start_run(RunStore(home), program, {}, environ=os.environ)
        try:
            wait_for_share(directory, DEMO_SHARE)
            settings = Settings(runs_home=home, runs_home_reason="--home")
            options = CockpitOptions(settings, None, interpreter, False, Plan(), directory, False, os.environ)
            app = CockpitApp(options, real_services(settings, os.environ))
            async with app.run_test(size=SIZES["120x36"]) as pilot:
                await scenes.settle(app, pilot)
                await pilot.pause(2.0)
                save(app, target)
        finally:
            request_kill(directory)
            wait_for_end(directory)


def wait_for_share(directory: RunDirectory, share: float) -> None:
    """Wait until so much of the fit is done."""
    deadline = time.monotonic() + DEMO_PATIENCE_S
    while time.monotonic() < deadline:
        snapshot = read_snapshot(directory)
        if snapshot.state.is_final:
            raise TimeoutError(f"the demo has ended: {snapshot.state.value} {snapshot.detail}")
        if snapshot.progress is not None and (snapshot.progress.fraction or 0.0) >= share:
            return
        time.sleep(0.5)
    raise TimeoutError("the demo is too slow on this machine")


def wait_for_end(directory: RunDirectory) -> None:
    """Wait until nothing of the run is left."""
    while not read_snapshot(directory).state.is_final:
        time.sleep(0.1)


PICTURES = (
    *(("training", size, DARK) for size in SIZES),
    *(("failed", size, DARK) for size in SIZES),
    ("idle", "120x36", DARK),
    ("validating-cpu", "120x36", DARK),
    ("finished", "120x36", DARK),
    ("nan", "120x36", DARK),
    ("stopping", "80x24", DARK),
    ("training", "120x36", LIGHT),
    ("failed", "120x36", LIGHT),
)


async def main(folder: Path) -> None:
    """Draw all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, theme in PICTURES:
        light = "-light" if theme == LIGHT else ""
        await draw(name, SIZES[size], folder / f"{name}{light}-{size}", theme)
    await draw_demo(folder / "demo-120x36")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "screenshots"))
