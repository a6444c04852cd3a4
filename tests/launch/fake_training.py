"""A program that fakes a training with telemetry, attempt by attempt: steps, checkpoints, and an end as it is told.

Usage: fake_training.py END..., one END for each attempt, the last for all that follow: `kill@STEP` (SIGKILL to
itself), `shape@STEP` (an error that comes again), `finish@STEP`, `wait@STEP` (until it is killed). It saves every
fourth step, and before a SIGKILL leaves half a checkpoint.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

RUN = Path(os.environ["LIGHTNING_TUI_RUN_DIR"])
ATTEMPT = int(os.environ["LIGHTNING_TUI_ATTEMPT"])
EVENTS = (RUN / f"attempt-{ATTEMPT}/events/rank-0.jsonl").open("a", buffering=1)
PLACE = {"epoch": 0, "max_epochs": 1, "max_steps": None, "batch": 1, "total_batches": 100}
NUMBERS = iter(range(1_000_000))


def say(event: str, **fields: Any) -> None:
    EVENTS.write(json.dumps({"event": event, "seq": next(NUMBERS), "time": time.time(), **fields}) + "\n")


def save(step: int) -> None:
    path = RUN / "checkpoints" / f"epoch=0-step={step}.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(1000))
    size = path.stat().st_size
    say("checkpoint", path=str(path), epoch=0, global_step=step, size=size, seconds=0.1)


def begun_at() -> int:
    found = re.search(r"step=(\d+)", os.environ.get("LIGHTNING_TUI_RESUME_FROM", ""))
    return int(found[1]) if found else 0


def train(first: int, last: int) -> None:
    for step in range(first + 1, last + 1):
        say("progress", stage="train", global_step=step, **PLACE)
        say("metrics", epoch=0, series={"train_loss": {"steps": [step], "values": [1 / step]}})
        if step % 4 == 0:
            save(step)


def finish(step: int) -> None:
    say("fit_end", finished=True, reason="max_steps", epoch=0, global_step=step)
    say("stage", stage="done", epoch=0, global_step=step)
    say("exit", code=0)


def break_down(step: int) -> None:
    message = "mat1 and mat2 shapes cannot be multiplied (32x784 and 768x10)"
    say("exception", type="RuntimeError", message=message, traceback="", hook="train", epoch=0, global_step=step)
    print(f"Traceback (most recent call last):\nRuntimeError: {message}", flush=True)
    sys.exit(1)


def be_killed(step: int) -> None:
    whole = next((RUN / "checkpoints").glob("*.ckpt"), None)
    if whole is not None:
        (RUN / "checkpoints" / f"epoch=0-step={step + 1000}.ckpt").write_bytes(whole.read_bytes()[:-100])
    os.kill(os.getpid(), signal.SIGKILL)


def wait(step: int) -> None:
    time.sleep(1000)


def main(ends: list[str]) -> None:
    how, _, last = ends[min(ATTEMPT, len(ends) - 1)].partition("@")
    hello = {"rank": 0, "local_rank": 0, "node_rank": 0, "world_size": 1, "host": os.uname().nodename}
    say("hello", **hello, pid=os.getpid(), started_at=time.time(), executable="", python="", argv=[])
    fields: dict[str, Any] = {"flavour": "lightning.pytorch", "lightning": "2", "torch": "2", "fields": {}}
    say("trainer", world_size=1, **fields)
    say("stage", stage="train", epoch=0, global_step=begun_at())
    train(begun_at(), int(last))
    time.sleep(0.7)  # the supervisor has to have met the rank, as it surely has after any real step
    Path(f"attempt-{ATTEMPT}").touch()
    {"kill": be_killed, "shape": break_down, "finish": finish, "wait": wait}[how](int(last))


if __name__ == "__main__":
    main(sys.argv[1:])
