"""What becomes of a command is told from the ranks' own words: who is there, who is waited for, and for how long."""

from __future__ import annotations

import msgspec
import pytest

from lightning_tui.record import RunDirectory, RunStore, read_snapshot
from lightning_tui.record.command_progress import CommandLog, CommandProgress, RankPlace
from lightning_tui.record.command_words import asked_words, name_of
from lightning_tui.record.commands import Command, CommandError, new_command, write_command
from lightning_tui.record.events import Acknowledged, RankAcknowledged
from tests.record.events import make

ASKED = 1000.0
HERE = RankPlace(global_step=40, is_in_fit=True)
COMMAND = Command(id="a", op="checkpoint", time=ASKED, by="ada@node1 7")


def answer(status: str, time: float, step: int = 40, command: str = "a", detail: str | None = None) -> Acknowledged:
    fields = {"command": command, "op": "checkpoint", "status": status, "global_step": step, "detail": detail}
    return make(Acknowledged, time=time, **fields)


def there(time: float, step: int = 40) -> RankAcknowledged:
    return make(RankAcknowledged, time=time, command="a", global_step=step)


def stands(
    log: CommandLog,
    ranks: dict[int, RankPlace] | None = None,
    *,
    now: float = ASKED + 12,
    rank_clock: float | None = None,
    attempt: int = 0,
    is_over: bool = False,
) -> CommandProgress:
    places = {0: HERE, 1: HERE} if ranks is None else ranks
    return log.progress(places, attempt=attempt, is_over=is_over, now=now, rank_clock=rank_clock)[0]


def asked() -> CommandLog:
    log = CommandLog()
    log.apply_command(COMMAND)
    return log


def test_until_a_rank_comes_rank_0_is_waited_for() -> None:
    seen = stands(asked())
    assert (seen.status, seen.waiting_for, seen.waiting_s, seen.ranks_taken) == ("asked", (0,), 12.0, ())
    assert stands(asked(), {}).waiting_for == (), "no rank has been heard of: nobody to name"


def test_who_has_not_come_is_named_as_long_as_the_others_wait() -> None:
    log = asked()
    log.apply_rank(there(ASKED + 1), 0)
    seen = stands(log, dict.fromkeys(range(3), HERE), rank_clock=ASKED + 13)
    assert (seen.status, seen.ranks_taken, seen.waiting_for, seen.taken_step) == ("asked", (0,), (1, 2), 40)
    assert seen.waiting_s == 12.0, "by the clock of the ranks' node, as both times are"
    log.apply_rank(there(ASKED + 14), 2)
    log.apply_rank(there(ASKED + 15), 1)
    log.apply_answer(answer("taken", ASKED + 15), 0)
    seen = stands(log, dict.fromkeys(range(3), HERE))
    assert (seen.status, seen.ranks_taken, seen.waiting_for, seen.waiting_s) == ("taken", (0, 1, 2), (), None)
    log.apply_answer(answer("done", ASKED + 16.5, detail="/a.ckpt"), 0)
    seen = stands(log, dict.fromkeys(range(3), HERE))
    assert (seen.status, seen.took_s, seen.done_step, seen.is_settled) == ("done", 16.5, 40, True)


def test_it_is_settled_when_the_last_rank_has_come_or_has_trained_on() -> None:
    log = asked()
    for event in (answer("taken", ASKED + 1), answer("done", ASKED + 1)):
        log.apply_answer(event, 0)
    assert (stands(log).waiting_for, stands(log).is_settled) == ((1,), False)
    beyond = RankPlace(global_step=41, is_in_fit=True)
    assert stands(log, {0: HERE, 1: beyond}).is_settled, "its own record may be cut off"
    out = RankPlace(global_step=40, is_in_fit=False)
    assert stands(log, {0: HERE, 1: out}).is_settled, "it has said how its fit ended"


def test_what_nobody_will_do_any_more_is_not_waited_for() -> None:
    log = asked()
    assert stands(log, is_over=True).detail == "the run ended first"
    log.apply_answer(answer("taken", ASKED + 1), 0)
    assert stands(log, attempt=1).status == "refused", "the attempt that took it is gone"
    assert stands(log, attempt=0).status == "taken"
    stop = CommandLog()
    stop.apply_command(msgspec.structs.replace(COMMAND, op="stop"))
    assert stands(stop, is_over=True).status == "asked", "the run's own end tells what came of it"


def test_an_answer_whose_command_is_gone_is_no_stop() -> None:
    log = CommandLog()
    log.apply_answer(answer("done", ASKED), 0)
    assert (stands(log).op, log.is_stop_asked()) == ("checkpoint", False)


def test_the_files_of_a_run_add_up_to_it(directory: RunDirectory) -> None:
    command = new_command("set-lr", value=3e-4, group=1)
    write_command(directory.commands, command)
    (directory.commands / "9-from-the-future.json").write_text(
        msgspec.json.encode({"id": "z", "op": "dance", "time": 1.0, "by": "x"}).decode()
    )
    seen = read_snapshot(directory).commands
    assert [(view.command, view.status) for view in seen] == [(command, "asked")]
    assert (seen[0].op, seen[0].by, seen[0].asked_at) == ("set-lr", command.by, command.time)


@pytest.fixture
def directory(tmp_path: object) -> RunDirectory:
    from lightning_tui.record.directory import ProgramRecord

    program = ProgramRecord(label="a.py", given=["a.py"], folder="/", interpreter="/usr/bin/python3")
    return RunStore(tmp_path).create(program=program, plan={}, now=100.0)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "what",
    [
        {"op": "set-lr"},
        {"op": "set-lr", "value": 0.0},
        {"op": "set-lr", "value": float("nan")},
        {"op": "set-lr", "value": float("inf")},
        {"op": "set-lr", "value": 1.0, "group": -1},
        {"op": "log-level"},
        {"op": "log-level", "level": "loud"},
    ],
)
def test_a_command_that_makes_no_sense_is_not_made(what: dict[str, object]) -> None:
    with pytest.raises(CommandError, match="Allowed"):
        new_command(**what)  # type: ignore[arg-type]


def test_commands_in_words() -> None:
    assert name_of(new_command("stop", after="validation")) == "stop after the validation"
    assert name_of(new_command("set-lr", value=3e-4, group=2)) == "learning rate 3.00e-4 of group 2"
    assert asked_words("set-lr", {"value": 3e-4, "group": None}) == "requested: learning rate 0.0003"
    assert new_command("pause").asker == new_command("pause").by.split()[0]
