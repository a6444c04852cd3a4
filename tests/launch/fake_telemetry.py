"""A program that fakes a Trainer with telemetry: says what the runner would, and answers commands as it is told to.

Usage: fake_telemetry.py MODE, where MODE is `obey` (take, save for 1.5 seconds, done, leave), `linger` (the same, but
go on after it), `refuse`, `validate` (validate for 1.5 seconds, then obey without a checkpoint), or `deaf` (never
answer). It ends by itself when a file `leave` appears in its folder.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

RUN = Path(os.environ["LIGHTNING_TUI_RUN_DIR"])
FIELDS: dict[str, dict[str, Any]] = {
    "trainer": {"flavour": "lightning.pytorch", "lightning": "2", "torch": "2", "world_size": 1, "fields": {}},
    "stage": {"epoch": 0, "global_step": 0},
    "ack": {"global_step": 1},
    "saving": {"path": str(RUN / "checkpoints" / "stopped.ckpt")},
}
ATTEMPT = os.environ["LIGHTNING_TUI_ATTEMPT"]
EVENTS = (RUN / f"attempt-{ATTEMPT}/events/rank-0-{os.getpid()}.jsonl").open("a", buffering=1)


def say(event: str, **fields: Any) -> None:
    EVENTS.write(json.dumps({"event": event, "seq": 0, "time": time.time(), **FIELDS[event], **fields}) + "\n")


def answer(mode: str, command: dict[str, Any]) -> None:
    told = {"command": command["id"], "op": command["op"]}
    if mode == "refuse":
        say("ack", status="refused", **told)
    if mode == "validate":
        say("stage", stage="validate")
        time.sleep(1.5)
        say("stage", stage="train")
        say("ack", status="done", **told)
        sys.exit(0)
    if mode in ("obey", "linger"):
        say("ack", status="taken", **told)
        say("saving")
        with (RUN / "checkpoints" / "stopped.ckpt").open("wb", buffering=0) as file:
            for _ in range(15):
                file.write(bytes(100_000))
                time.sleep(0.1)
        say("saving", is_over=True)
        say("ack", status="done", **told)
        say("stage", stage="done")
    if mode == "obey":
        sys.exit(0)


def main(mode: str) -> None:
    say("trainer")
    say("stage", stage="train")
    seen: set[Path] = set()
    Path("up").touch()
    while not Path("leave").exists():
        for path in sorted(set((RUN / "commands").glob("*.json")) - seen):
            seen.add(path)
            answer(mode, json.loads(path.read_text()))
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1])
