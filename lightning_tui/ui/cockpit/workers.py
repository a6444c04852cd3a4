"""Which threads work for the cockpit? Those that look at the machine, and the one that follows a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.threads import Follower, MachineWatch, SoftwareProbe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.message import Message

    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.services.machine import Hardware
    from lightning_tui.ui.services import Services


class Workers:
    """Started once; the run that is followed may be another one at any time. What they found is in slots."""

    def __init__(self, services: Services, interpreter: Path, post: Callable[[Message], object]) -> None:
        self._services = services
        self._post = post
        self._watch = MachineWatch(services, post)
        self._probe = SoftwareProbe(services, interpreter, post)
        self._follower: Follower | None = None

    @property
    def directory(self) -> RunDirectory | None:
        """Where the run lives that is followed."""
        return self._follower.directory if self._follower is not None else None

    @property
    def run(self) -> RunSnapshot | None:
        """The newest of it."""
        return self._follower.newest if self._follower is not None else None

    @property
    def hardware(self) -> Hardware | None:
        """The newest reading of this machine, while no run reports it."""
        return self._watch.newest

    def start(self) -> None:
        """Look at the machine, and ask the interpreter."""
        self._watch.start()
        self._probe.start()

    def look_at_machine(self, is_wanted: bool) -> None:
        """Go on reading the machine, or leave that to the run."""
        (self._watch.is_wanted.set if is_wanted else self._watch.is_wanted.clear)()

    def follow(self, directory: RunDirectory, read_output: Callable[[RunSnapshot], bool]) -> Follower:
        """Follow this run from now on."""
        self.leave()
        self._follower = Follower(directory, self._services, self._post, read_output)
        self._follower.start()
        return self._follower

    def leave(self) -> None:
        """Follow no run any more."""
        if self._follower is not None:
            self._follower.stop()
        self._follower = None

    def stop(self, patience_s: float) -> None:
        """End them all, and wait no longer than this."""
        workers = [worker for worker in (self._follower, self._watch, self._probe) if worker is not None]
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(patience_s / len(workers))
