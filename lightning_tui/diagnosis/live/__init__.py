"""What could a run that goes on do better? Advice from its telemetry and its output, each told once."""

from lightning_tui.diagnosis.live.findings import with_advice
from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.replay import advice_of_run
from lightning_tui.diagnosis.live.seen import Seen, read_seen, write_seen
from lightning_tui.diagnosis.live.watching import RunAdviser
from lightning_tui.diagnosis.live.words import one_line

__all__ = [
    "Advice",
    "RunAdviser",
    "Seen",
    "advice_of_run",
    "one_line",
    "read_seen",
    "with_advice",
    "write_seen",
]
