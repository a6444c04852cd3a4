"""Run a program up to its `fit` in a throw-away child, where something else is done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.launch.program import Program
from lightning_tui.launch.throwaway import ThrowawayEnd, run_throwaway
from lightning_tui.launch.variables import planned_variables
from lightning_tui.record.tail import LineTail

VARIABLE = "LIGHTNING_TUI_REHEARSAL"
"""Names the folder of the order to the child."""


def rehearse(
    program: Program,
    *,
    kind: str,
    plan: Mapping[str, Any],
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    on_event: Callable[[bytes], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    time_limit_s: float,
) -> ThrowawayEnd:
    """Run it to its end and hand each line of its events to `on_event`, in this thread.

    The child dies with this thread, and no process of it is left when this returns, or raises.

    Raises:
        Cancelled: `is_cancelled` came true.
        LaunchError: it cannot be started.
        Exception: whatever `on_event` raises.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-tui-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        order = {"kind": kind, "plan": dict(plan), "options": dict(options)}
        (folder / "order.json").write_bytes(msgspec.json.encode(order))
        tail = LineTail(folder / "events.jsonl")

        def hand_on() -> None:
            for line in tail.poll():
                on_event(line)

        end = run_throwaway(
            program,
            folder,
            environ={**environ, **planned_variables(plan), VARIABLE: str(folder)},
            each=hand_on,
            is_cancelled=is_cancelled,
            time_limit_s=time_limit_s,
        )
        return end.or_cancelled()
