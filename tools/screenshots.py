"""Draw the cockpit as SVG and PNG into `screenshots/`: `python tools/screenshots.py [FOLDER]`.

The scenes are the invented ones of the tests, so their pictures are the same on every machine. Some are drawn of a real
run on this machine, which takes a minute each and needs torch and lightning: `demo`; `oom-2-ranks-...`, of a program
that raises PyTorch's error by hand and is relaunched with the fix; and `gpus-stub-data`, whose GPUs are told by a
stand-in for the driver's library (it needs gcc): the path from NVML to the screen is real, the readings are invented.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import resvg_py
from textual.app import App

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
os.environ.pop("NO_COLOR", None)

from lightning_tui.launch import request_kill, resolve_program, start_run  # noqa: E402 - it may not be installed
from lightning_tui.plan.model import Plan  # noqa: E402
from lightning_tui.record import RunDirectory, RunSnapshot, RunState, RunStore, read_snapshot  # noqa: E402
from lightning_tui.settings import Settings  # noqa: E402
from lightning_tui.ui import CockpitOptions  # noqa: E402
from lightning_tui.ui.app import CockpitApp  # noqa: E402
from lightning_tui.ui.drawing.theme import DARK, LIGHT  # noqa: E402
from lightning_tui.ui.services import real_services  # noqa: E402
from tests.gpus.stub import build_stub, write_scene  # noqa: E402
from tests.ui import scenes  # noqa: E402
from tests.ui.advice_scenes import FakeAdvice, much_to_advise  # noqa: E402
from tests.ui.outside import FakeOutside  # noqa: E402

FONT = "Fira Code"
DEMO_SHARE = 0.3
"""How much of the demo is trained when its picture is drawn."""
STUB_SHARE = 0.02
"""The same where the GPUs are what is to be seen."""
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
    "metrics": scenes.many_metrics,
    "metrics-stalled": scenes.stalled,
    "metrics-overlay": scenes.many_metrics,
    "plan": None,
    "strategy": None,
    "gpus-64-invented": scenes.cluster,
    "gpus-512-invented": lambda folder: scenes.cluster(folder, 64),
    "gpus-window-invented": scenes.eight_gpus,
    "log-search": scenes.long_log,
    "log-context": scenes.long_log,
    "log-traceback": scenes.long_log,
    "log-all-ranks": scenes.long_log,
    "advice": scenes.training,
    "advice-window": scenes.training,
    "runs": scenes.training,
    "runs-compare": scenes.training,
    "runs-checkpoints": scenes.training,
}
PLANNED = ("plan", "strategy")
"""Scenes of a plan on idle GPUs, for an invented model."""
KEYS = {
    "metrics": ("3", "z", *["left"] * 12),
    "metrics-stalled": ("3", "z", "M"),
    "metrics-overlay": ("3", "z", "enter", "o", "space", "down", "space", "enter", *["left"] * 8),
    "plan-80x24": ("2", "enter"),
    "strategy": ("enter",),
    "gpus-512-invented": ("4", "z", "down", "right"),
    "gpus-window-invented": ("4", "down", "enter"),
    "log-search": ("5", "slash", *"best", "enter", "N", "N"),
    "log-context": ("5", "z", "slash", *"val", "enter", "F", "F"),
    "log-traceback": ("5", "n", "enter"),
    "log-all-ranks": ("5", "z", "k", "up", "enter", "T"),
    "advice-window": ("A", "down"),
    "runs": ("r",),
    "runs-compare": ("r", "down", "space", "c"),
    "runs-checkpoints": ("r", "down", "k"),
}
"""What is pressed before a scene, or one picture of it, is drawn."""

STUB_SCENE: Mapping[str, object] = {
    "gpus": 8,
    "memory": "30500..31900",
    "utilization": "88..98",
    "temperature": "60..74",
    "power": "540..640",
    "memory.2": "72100..73400",
    "utilization.5": "20..45",
    "temperature.6": 91,
    "throttle.6": 0x20,
    "ecc.3": 1,
    "lost": 7,
}
"""Invented readings, as `tests/gpus/nvml_stub.c` tells them."""


async def draw(name: str, size: tuple[int, int], target: Path, theme: str) -> None:
    """Draw one scene at one size."""
    with tempfile.TemporaryDirectory() as folder:
        make = SCENES[name]
        told: dict[str, Any] = {"outside": scenes.on_gpus(), "plan": scenes.PLAN} if name in PLANNED else {}
        if name == "metrics-overlay":
            told = {"outside": FakeOutside(runs=scenes.earlier_runs(Path(folder)))}
        if name.startswith("advice"):
            told = {"outside": FakeOutside(advice=FakeAdvice(*much_to_advise()))}
        if name.startswith("runs"):
            told = {"outside": scenes.on_runs()}
        app = scenes.cockpit(Path(folder), make(Path(folder)) if make else None, **told)
        async with app.run_test(size=size) as pilot:
            app.theme = theme
            await scenes.settle(app, pilot)
            if name.startswith("advice"):
                while not app.cockpit.view.advice:
                    await pilot.pause(0.1)
            for key in KEYS.get(target.name, KEYS.get(name, ())):
                await pilot.press(key)
                await pilot.pause(0.1)
            await pilot.pause(0.3)
            save(app, target)


def save(app: App[None], target: Path) -> None:
    """Write the screen as SVG and PNG."""
    svg = app.export_screenshot(title="lightning-tui")
    target.with_suffix(".svg").write_text(svg)
    png = resvg_py.svg_to_bytes(svg_string=svg, font_family=FONT, monospace_family=FONT, zoom=1)
    target.with_suffix(".png").write_bytes(bytes(png))


async def draw_demo(target: Path) -> None:
    """Train the demo for a while, and draw the cockpit attached to it.

    Raises:
        TimeoutError: it did not come far enough.
    """
    with running_demo({}, DEMO_SHARE) as (directory, settings):
        await draw_attached(directory, settings, target, SIZES["120x36"])


async def draw_stub_gpus(folder: Path) -> None:
    """The same, with GPUs that a stand-in for the driver's library tells of.

    Raises:
        TimeoutError: the run did not come far enough, or reported no GPUs.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-tui-") as name:
        library = build_stub(Path(name))
        scene = write_scene(library / "scene", STUB_SCENE)
        environ = {"LD_LIBRARY_PATH": str(library), "FAKE_NVML_SCENE": str(scene)}
        os.environ |= environ
        ctypes.CDLL(str(library / "libnvidia-ml.so.1"))  # for this process it is too late to read LD_LIBRARY_PATH
        with running_demo(environ, STUB_SHARE) as (directory, settings):
            pid = read_snapshot(directory).ranks[0].pid
            held = {"processes.0": f"{pid}:{30 << 30}", "processes.2": f"{pid}:{29 << 30},{os.getpid()}:{40 << 30}"}
            write_scene(scene, {**STUB_SCENE, **held})
            wait_until(
                directory, lambda run: any(gpu.processes for gpu in run.gpus), "no process on a GPU was reported"
            )
            for size, keys in (("80x24", ()), ("120x36", ())):
                await draw_attached(directory, settings, folder / f"gpus-stub-data-{size}", SIZES[size], keys)
            target = folder / "gpus-stub-data-zoomed-120x36"
            await draw_attached(directory, settings, target, SIZES["120x36"], ("4", "z", "down", "down"))


OOM_ARGUMENTS = ("--long-from", "160", "--steps", "240", "--pause", "0.04")
"""So that there is a curve to see, before it and after it."""


async def draw_out_of_memory(folder: Path) -> None:
    """Let a real run on two ranks run out of memory, and draw the card, the window with the fix, and the child run.

    Raises:
        TimeoutError: the run did not fail, or its child did not train.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-tui-") as name:
        home, place = Path(name) / "runs", Path(name) / "work"
        place.mkdir()
        shutil.copy(ROOT / "tests" / "programs" / "out_of_memory.py", place / "train.py")
        given = ["train.py", *OOM_ARGUMENTS]
        program = resolve_program(
            given, interpreter=Path(sys.executable), interpreter_is_given=False, folder=place, environ=os.environ
        )
        directory = start_run(RunStore(home), program, {}, environ=os.environ)
        wait_until(directory, lambda run: run.state is RunState.FAILED, "the run did not run out of memory")
        settings = Settings(runs_home=home, runs_home_reason="--home")
        for size in ("80x24", "200x50"):
            await draw_attached(directory, settings, folder / f"oom-2-ranks-card-{size}", SIZES[size], ("5",))
        await draw_attached(
            directory, settings, folder / "oom-2-ranks-card-light-120x36", SIZES["120x36"], ("5",), theme=LIGHT
        )
        await draw_fix(directory, settings, folder)


async def draw_fix(directory: RunDirectory, settings: Settings, folder: Path) -> None:
    """Draw a failed run before `f`, its window, and the child run after Enter."""
    app = attached(directory, settings)
    async with app.run_test(size=SIZES["120x36"]) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        await pilot.pause(1.0)
        save(app, folder / "oom-2-ranks-card-120x36")
        await pilot.press("f")
        await pilot.pause(1.0)
        save(app, folder / "oom-2-ranks-fix-120x36")
        await pilot.press("enter")
        deadline = time.monotonic() + DEMO_PATIENCE_S
        while not is_well_on_its_way(app.cockpit.view.run, directory):
            await pilot.pause(0.2)
            if time.monotonic() > deadline:
                raise TimeoutError("the child run did not train")
        save(app, folder / "oom-2-ranks-after-120x36")
        child = app.cockpit.directory
        assert child is not None
    wait_until(child, lambda run: run.state.is_final, "the child run did not end")


def is_well_on_its_way(run: RunSnapshot | None, parent: RunDirectory) -> bool:
    """Whether a child of this run has trained most of what was left."""
    is_child = run is not None and run.record.parent == parent.id
    return is_child and run is not None and run.progress is not None and (run.progress.fraction or 0.0) > 0.9


@contextmanager
def running_demo(environ: Mapping[str, str], share: float) -> Iterator[tuple[RunDirectory, Settings]]:
    """A run of the demo of which so much is trained; it is killed at the end.

    Raises:
        TimeoutError: it did not come far enough.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-tui-") as folder:
        home = Path(folder) / "runs"
        given = {**os.environ, **environ}
        program = resolve_program(
            ["demo"], interpreter=Path(sys.executable), interpreter_is_given=False, folder=ROOT, environ=given
        )
        directory = start_run(RunStore(home), program, {}, environ=given)
        try:
            wait_for_share(directory, share)
            yield directory, Settings(runs_home=home, runs_home_reason="--home")
        finally:
            request_kill(directory)
            wait_for_end(directory)


async def draw_attached(
    directory: RunDirectory,
    settings: Settings,
    target: Path,
    size: tuple[int, int],
    keys: Sequence[str] = (),
    theme: str = DARK,
) -> None:
    """Draw a real cockpit that follows this run."""
    app = attached(directory, settings)
    async with app.run_test(size=size) as pilot:
        app.theme = theme
        await scenes.settle(app, pilot)
        await pilot.press(*keys)
        await pilot.pause(2.0)
        save(app, target)


def attached(directory: RunDirectory, settings: Settings) -> CockpitApp:
    """A real cockpit that opens on this run."""
    options = CockpitOptions(settings, None, Path(sys.executable), False, Plan(), directory, False, os.environ)
    return CockpitApp(options, real_services(settings, os.environ))


def wait_until(directory: RunDirectory, condition: Callable[[RunSnapshot], bool], otherwise: str) -> None:
    """Wait until this is true of the run.

    Raises:
        TimeoutError: it never was; it says `otherwise`.
    """
    deadline = time.monotonic() + DEMO_PATIENCE_S
    while not condition(read_snapshot(directory)):
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.5)


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
    *(("log-search", size, DARK) for size in SIZES),
    ("log-context", "120x36", DARK),
    ("log-traceback", "120x36", DARK),
    ("log-traceback", "120x36", LIGHT),
    ("log-all-ranks", "120x36", DARK),
    *(("training", size, DARK) for size in SIZES),
    *((name, size, DARK) for name in ("advice", "advice-window") for size in ("120x36", "80x24")),
    *(("failed", size, DARK) for size in SIZES),
    ("idle", "120x36", DARK),
    ("validating-cpu", "120x36", DARK),
    ("finished", "120x36", DARK),
    ("nan", "120x36", DARK),
    *(("metrics", size, DARK) for size in SIZES),
    ("metrics", "120x36", LIGHT),
    ("metrics-stalled", "120x36", DARK),
    ("metrics-overlay", "120x36", DARK),
    ("stopping", "80x24", DARK),
    ("training", "120x36", LIGHT),
    ("failed", "120x36", LIGHT),
    ("plan", "80x24", DARK),
    ("plan", "120x36", DARK),
    ("strategy", "120x36", DARK),
    ("gpus-64-invented", "120x36", DARK),
    ("gpus-64-invented", "80x24", DARK),
    ("gpus-512-invented", "120x36", DARK),
    ("gpus-512-invented", "80x24", DARK),
    ("gpus-window-invented", "120x36", DARK),
    *(("runs", size, DARK) for size in SIZES),
    ("runs", "120x36", LIGHT),
    ("runs-compare", "120x36", DARK),
    ("runs-compare", "80x24", DARK),
    ("runs-checkpoints", "120x36", DARK),
)


def require_font() -> None:
    """Leave where the pictures' font is missing: they would come out without a word on them.

    Raises:
        SystemExit: with a sentence.
    """
    found = subprocess.run(["fc-match", "-f", "%{family}", FONT], capture_output=True, text=True, check=False).stdout
    if FONT not in found:
        raise SystemExit(f"The pictures need the font {FONT} (on Debian: apt install fonts-firacode).")


async def main(folder: Path) -> None:
    """Draw all pictures."""
    require_font()
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, theme in PICTURES:
        light = "-light" if theme == LIGHT else ""
        await draw(name, SIZES[size], folder / f"{name}{light}-{size}", theme)
    await draw_demo(folder / "demo-120x36")
    await draw_out_of_memory(folder)
    await draw_stub_gpus(folder)  # last: the stand-in for NVIDIA's library stays in this process


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "screenshots"))
