"""What survives a bad night? Real runs on two ranks, random faults at random moments, and what must be true after it.

`python -m benchmarks.chaos --trials 100 --seed 1` writes the table of `docs/reliability.md`. Each trial is a run of
`programs/two_ranks.py`, started, told and deleted through the command line.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.startup import cockpit_command
from benchmarks.terminal import Terminal
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record import RunDirectory, RunSnapshot, read_snapshot
from lightning_tui.record.directory import supervisor_alive
from lightning_tui.record.events import Progress

PROGRAM = Path(__file__).parent / "programs" / "two_ranks.py"
PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
PATIENCE_S = 3.0
"""Of each rung of the stop ladder, so that a frozen rank does not hold the bench up."""
END_PATIENCE_S = 90.0
TRAINING_PATIENCE_S = 120.0
KEPT_S = 0.5
"""Events older than this at the fault must be there afterwards."""
DISK_MB = 24


class WrongError(Exception):
    """Something that must be true is not."""


@dataclass
class Trial:
    """One run and all that is around it."""

    folder: Path
    chance: random.Random
    strategy: str
    home: Path
    directory: RunDirectory = field(init=False)
    fault_at: float = field(init=False, default=0.0)

    def ours(self, *words: str, patience_s: float = END_PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run one of our commands to its end."""
        command = [*cockpit_command(), *words]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=patience_s, check=False
        )

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "LIGHTNING_TUI_HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
            "TERM": "xterm-256color",
        }

    def start(self) -> None:
        """Start the run; it is under supervision when this returns."""
        settings = self.folder / "config" / "lightning-tui" / "settings.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"stop_patience_s = {PATIENCE_S}\n")
        (self.folder / "truth").mkdir()
        words = [str(PROGRAM), str(self.folder / "truth"), "--strategy", self.strategy]
        started = self.ours("run", "--detach", "--json", "--", *words)
        if started.returncode:
            raise WrongError(f"the run did not start: {started.stderr.strip()}")
        self.directory = RunDirectory(Path(json.loads(started.stdout.splitlines()[0])["directory"]))

    def snapshot(self) -> RunSnapshot:
        """The run as a reader finds it now."""
        return read_snapshot(self.directory)

    def true_steps(self, rank: int) -> list[tuple[float, int]]:
        """When which step was done, as the program itself has written."""
        try:
            lines = (self.folder / "truth" / f"rank-{rank}").read_text().splitlines()
        except FileNotFoundError:
            return []
        words = [line.split() for line in lines]
        return [(float(pair[0]), int(pair[1])) for pair in words if len(pair) == 2]

    def wait_for_training(self) -> None:
        """Wait until both ranks have done steps, and a random moment longer."""
        self.wait(
            lambda: all(len(self.true_steps(rank)) > 2 for rank in (0, 1)), TRAINING_PATIENCE_S, "both ranks train"
        )
        time.sleep(self.chance.uniform(0.0, 3.0))

    def wait(self, is_so: Callable[[], bool], patience_s: float, what: str) -> None:
        """Wait for something.

        Raises:
            WrongError: it does not come.
        """
        deadline = time.monotonic() + patience_s
        while not is_so():
            if time.monotonic() > deadline:
                raise WrongError(f"waited {patience_s:.0f} s in vain: {what}")
            time.sleep(0.05)

    def trains_on(self) -> None:
        """Wait for new steps of both ranks."""
        before = [len(self.true_steps(rank)) for rank in (0, 1)]
        self.wait(
            lambda: all(len(self.true_steps(rank)) > before[rank] + 3 for rank in (0, 1)), 30.0, "it trains on after it"
        )

    def pid_of(self, rank: int) -> int:
        """The process of a rank, as its own event tells."""
        self.wait(lambda: any(view.rank == rank for view in self.snapshot().ranks), 30.0, f"rank {rank} says hello")
        return next(view.pid for view in self.snapshot().ranks if view.rank == rank)

    def started_event(self, name: str) -> int:
        """A number of the supervisor's first event: its own `pid`, or the `child_pid` of the program."""
        lines = self.directory.supervisor_log(0).read_text().splitlines()
        started = [json.loads(line) for line in lines if '"supervisor_started"' in line]
        return int(started[-1][name])

    def strike(self, pid: int, number: signal.Signals) -> None:
        """Send the signal that is the fault."""
        self.fault_at = time.time()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


# --------------------------------------------------------------------------------------------------------- the faults


def kill_the_cockpit(trial: Trial) -> None:
    with cockpit(trial) as screen:
        trial.strike(screen.pid, signal.SIGKILL)
        trial.trains_on()
    stopped(trial)


def hang_up_on_the_cockpit(trial: Trial) -> None:
    with cockpit(trial) as screen:
        trial.strike(screen.pid, signal.SIGHUP)
        trial.trains_on()
    stopped(trial)


def stall_the_terminal(trial: Trial) -> None:
    with cockpit(trial) as screen:
        trial.fault_at = time.time()
        time.sleep(trial.chance.uniform(2.0, 6.0))  # nobody reads what the cockpit writes
        trial.trains_on()
        screen.drain(0.5)
    stopped(trial)


def kill_the_supervisor(trial: Trial) -> None:
    trial.strike(trial.started_event("pid"), signal.SIGKILL)
    trial.trains_on()
    stopped(trial)


def kill_rank_0(trial: Trial) -> None:
    trial.strike(trial.pid_of(0), signal.SIGKILL)


def kill_rank_1(trial: Trial) -> None:
    trial.strike(trial.pid_of(1), signal.SIGKILL)


def kill_all_ranks(trial: Trial) -> None:
    pids = [trial.pid_of(0), trial.pid_of(1)]
    for pid in pids:
        trial.strike(pid, signal.SIGKILL)


def terminate_the_program(trial: Trial) -> None:
    trial.strike(trial.started_event("child_pid"), signal.SIGTERM)
    with contextlib.suppress(WrongError):  # Lightning 2.6 itself hangs after one in fifteen; then a stop must end it
        trial.wait(lambda: trial.snapshot().state.is_final, 20.0, "the end")
        return
    trial.ours("stop", trial.directory.id)


def freeze_rank_0(trial: Trial) -> None:
    trial.strike(trial.pid_of(0), signal.SIGSTOP)
    time.sleep(trial.chance.uniform(0.5, 2.0))
    trial.ours("stop", trial.directory.id)


def freeze_rank_1(trial: Trial) -> None:
    trial.strike(trial.pid_of(1), signal.SIGSTOP)
    time.sleep(trial.chance.uniform(0.5, 2.0))
    trial.ours("stop", trial.directory.id)


def freeze_and_thaw_rank_1(trial: Trial) -> None:
    pid = trial.pid_of(1)
    trial.strike(pid, signal.SIGSTOP)
    time.sleep(trial.chance.uniform(0.5, 4.0))
    os.kill(pid, signal.SIGCONT)
    trial.trains_on()
    stopped(trial)


def stop_it(trial: Trial) -> None:
    trial.fault_at = time.time()
    stopped(trial)


def stop_it_while_it_starts(trial: Trial) -> None:
    trial.fault_at = time.time()
    trial.ours("stop", trial.directory.id)


def kill_it(trial: Trial) -> None:
    trial.fault_at = time.time()
    trial.ours("kill", trial.directory.id)


def stop_then_kill_the_supervisor(trial: Trial) -> None:
    asking = subprocess.Popen(
        [*cockpit_command(), "stop", trial.directory.id],
        env=trial.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(trial.chance.uniform(0.0, 0.6))
        trial.strike(trial.started_event("pid"), signal.SIGKILL)
        asking.wait(END_PATIENCE_S)
    finally:
        asking.kill()
        asking.wait()
    trial.ours("stop", trial.directory.id)


def pause_then_kill(trial: Trial) -> None:
    paused(trial)
    trial.fault_at = time.time()
    trial.ours("kill", trial.directory.id)


def pause_then_kill_rank_1(trial: Trial) -> None:
    paused(trial)
    trial.strike(trial.pid_of(1), signal.SIGKILL)
    trial.ours("kill", trial.directory.id)


def pause_and_resume(trial: Trial) -> None:
    paused(trial)
    trial.fault_at = time.time()
    before = len(trial.true_steps(0))
    time.sleep(1.0)
    if len(trial.true_steps(0)) != before:
        raise WrongError("it trained while it was paused")
    resumed = trial.ours("resume", trial.directory.id)
    if resumed.returncode:
        raise WrongError(f"resume: {resumed.stderr.strip()}")
    trial.trains_on()
    stopped(trial)


def fill_the_disk(trial: Trial) -> None:
    ballast = trial.home / "ballast"
    trial.fault_at = time.time()
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    time.sleep(trial.chance.uniform(0.5, 2.0))
    trial.trains_on()
    ballast.unlink()
    stopped(trial)


class Fault(NamedTuple):
    """What is done to a run, and how it may end."""

    inflict: Callable[[Trial], None]
    ends: tuple[str, ...]
    moment: str = "training"
    kills: tuple[int, ...] = ()
    """Ranks that die of it: what they had said must be there."""
    on_small_disk: bool = False


FAULTS: dict[str, Fault] = {
    "cockpit killed (SIGKILL)": Fault(kill_the_cockpit, ("stopped",)),
    "connection lost (SIGHUP to the cockpit)": Fault(hang_up_on_the_cockpit, ("stopped",)),
    "terminal stalled": Fault(stall_the_terminal, ("stopped",)),
    "supervisor killed": Fault(kill_the_supervisor, ("stopped",)),
    "rank 0 killed": Fault(kill_rank_0, ("failed",), kills=(0,)),
    "rank 1 killed": Fault(kill_rank_1, ("failed",), kills=(1,)),
    "both ranks killed": Fault(kill_all_ranks, ("failed",), kills=(0, 1)),
    "SIGTERM to the program": Fault(terminate_the_program, ("stopped",)),
    "rank 0 frozen, then stop": Fault(freeze_rank_0, ("stopped", "killed"), kills=(0, 1)),
    "rank 1 frozen, then stop": Fault(freeze_rank_1, ("stopped", "killed"), kills=(1,)),
    "rank 1 frozen and thawed": Fault(freeze_and_thaw_rank_1, ("stopped",)),
    "stop": Fault(stop_it, ("stopped",)),
    "stop while it starts": Fault(stop_it_while_it_starts, ("stopped", "killed"), moment="start"),
    "kill": Fault(kill_it, ("killed",), kills=(0, 1)),
    "stop, then supervisor killed": Fault(stop_then_kill_the_supervisor, ("stopped",)),
    "pause, then kill": Fault(pause_then_kill, ("killed",)),
    "pause, then rank 1 killed": Fault(pause_then_kill_rank_1, ("failed", "killed")),
    "pause and resume": Fault(pause_and_resume, ("stopped",)),
    "disk full": Fault(fill_the_disk, ("stopped",), on_small_disk=True),
}


@contextlib.contextmanager
def cockpit(trial: Trial) -> Iterator[Terminal]:
    """The cockpit on this run, in a terminal of its own."""
    command = [*cockpit_command(), "attach", trial.directory.id]
    with Terminal(command, environ=trial.environ) as screen:
        screen.until([b"training"], 60.0)
        screen.drain(trial.chance.uniform(0.0, 1.0))
        yield screen


def stopped(trial: Trial) -> None:
    """Stop the run as a person would.

    Raises:
        WrongError: that did not work.
    """
    answer = trial.ours("stop", trial.directory.id)
    if answer.returncode:
        raise WrongError(f"stop said {answer.returncode}: {answer.stderr.strip()[-300:]}")


def paused(trial: Trial) -> None:
    """Pause the run.

    Raises:
        WrongError: that did not work.
    """
    answer = trial.ours("pause", trial.directory.id)
    if answer.returncode:
        raise WrongError(f"pause said {answer.returncode}: {answer.stderr.strip()[-300:]}")


# ------------------------------------------------------------------------------------------------ what must be true


def check(trial: Trial, fault: Fault) -> None:
    """Look at all that must be true when it is over.

    Raises:
        WrongError: something is not.
    """
    trial.wait(
        lambda: trial.snapshot().state.is_final, END_PATIENCE_S, f"the end (it is {trial.snapshot().state.value})"
    )
    trial.wait(lambda: not supervisor_alive(trial.directory), 10.0, "the supervisor's lock is free")
    left = marked_processes(trial.directory)
    if left:
        raise WrongError(f"{len(left)} processes are left: {left}")
    state = trial.snapshot().state.value
    if state not in fault.ends:
        raise WrongError(f"the state is {state}, not {' or '.join(fault.ends)}: {trial.snapshot().detail}")
    for rank in fault.kills:
        check_events(trial, rank)
    check_commands(trial, state)


def check_events(trial: Trial, rank: int) -> None:
    """The rank's last events before the fault are there."""
    done = max((step for at, step in trial.true_steps(rank) if at <= trial.fault_at - KEPT_S), default=0)
    told = 0
    for attempt in trial.directory.attempts():
        files = [
            f for f in trial.directory.events(attempt).iterdir() if re.fullmatch(rf"rank-{rank}(-\d+)?\.jsonl", f.name)
        ]
        for path in files:
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    told = max(told, _step(json.loads(line)))
    if told < done:
        raise WrongError(f"rank {rank} had done step {done} {KEPT_S} s before the fault; its events tell of {told}")


def _step(event: dict[str, Any]) -> int:
    return int(event.get("global_step") or 0) if event.get("event") == Progress.__struct_config__.tag else 0


def check_commands(trial: Trial, state: str) -> None:
    """The next commands work: the run can be shown, is not stopped twice, and can be deleted."""
    shown = trial.ours("show", "--json", trial.directory.id)
    if shown.returncode or json.loads(shown.stdout)["state"] != state:
        raise WrongError(f"show --json: {shown.returncode} {shown.stderr.strip()[-200:]}")
    again = trial.ours("stop", trial.directory.id)
    if again.returncode != 1 or "over" not in again.stderr:
        raise WrongError(f"stop of what is over said {again.returncode}: {again.stderr.strip()[-200:]}")
    removed = trial.ours("rm", "--yes", trial.directory.id)
    if removed.returncode or trial.directory.path.exists():
        raise WrongError(f"rm: {removed.stderr.strip()[-200:]}")


# ------------------------------------------------------------------------------------------------------------- trials


class Result(NamedTuple):
    """How one trial went; `wrong` is empty where all was true."""

    fault: str
    strategy: str
    wrong: str
    folder: Path


def run_trial(number: int, name: str, seed: int, place: Path) -> Result:
    """One run, one fault."""
    fault = FAULTS[name]
    chance = random.Random(seed * 100_003 + number)
    strategy = chance.choice(["ddp", "ddp_fork"])
    folder = place / f"trial-{number}"
    home = folder / "home"
    home.mkdir(parents=True)
    trial = Trial(folder, chance, strategy, home)
    wrong = ""
    try:
        with _small_disk(home) if fault.on_small_disk else contextlib.nullcontext():
            try:
                trial.start()
                if fault.moment == "start":
                    time.sleep(chance.uniform(0.0, 5.0))
                else:
                    trial.wait_for_training()
                fault.inflict(trial)
                check(trial, fault)
            finally:
                _clear(trial)
    except (WrongError, TimeoutError, subprocess.TimeoutExpired, OSError) as error:
        wrong = f"{type(error).__name__}: {error}" if not isinstance(error, WrongError) else str(error)
    if not wrong:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(name, strategy, wrong, folder)


@contextlib.contextmanager
def _small_disk(home: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(home)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=False)


def _clear(trial: Trial) -> None:
    """Leave no process of this trial behind, whatever went wrong."""
    if hasattr(trial, "directory"):
        for pid in marked_processes(trial.directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def measure(trials: int, seed: int, at_once: int, only: str | None) -> list[Result]:
    """Run the trials, `at_once` of them at a time; each fault comes equally often, in random order."""
    names = [name for name in FAULTS if only is None or only in name]
    if os.geteuid() != 0:
        names = [name for name in names if not FAULTS[name].on_small_disk]  # a small disk cannot be mounted
    order = [names[number % len(names)] for number in range(trials)]
    random.Random(seed).shuffle(order)
    place = Path(tempfile.mkdtemp(prefix="chaos-"))
    results = []
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(run_trial, number, name, seed, place) for number, name in enumerate(order)]
        for done in concurrent.futures.as_completed(futures):
            result = done.result()
            results.append(result)
            mark = f"WRONG: {result.wrong} ({result.folder})" if result.wrong else "ok"
            print(f"{len(results):>4}/{trials} {result.fault} [{result.strategy}]: {mark}", flush=True)
    return results


def table(results: list[Result], seed: int) -> str:
    """The results by fault, as Markdown."""
    lines = [
        f"{len(results)} runs, seed {seed}, {sum(not r.wrong for r in results)} as they must be.",
        "",
        "| fault | must end | runs | as it must | not |",
        "|---|---|---|---|---|",
    ]
    for name, fault in FAULTS.items():
        mine = [result for result in results if result.fault == name]
        if mine:
            wrong = [result.wrong for result in mine if result.wrong]
            ends = " or ".join(fault.ends)
            lines.append(f"| {name} | {ends} | {len(mine)} | {len(mine) - len(wrong)} | {'; '.join(wrong) or '–'} |")
    return "\n".join(lines)


def write_table(text: str) -> None:
    """Put the table into its place on the page."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> int:
    """Run trials; 0 where all went as it must."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--only", help="only faults whose name contains this")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    arguments = parser.parse_args()
    results = measure(arguments.trials, arguments.seed, arguments.at_once, arguments.only)
    text = table(results, arguments.seed)
    print(text)
    if arguments.write:
        write_table(text)
    return 1 if any(result.wrong for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
