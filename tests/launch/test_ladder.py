"""The stop ladder, with made-up times: which rung, and when the next one is due."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.launch.ladder import BUSY_FACTOR, SAME_ASK_S, UNHEARD_PATIENCE_S, Ladder, StopView, climb
from lightning_tui.record.commands import Command, Operation

PATIENCE = 30.0
RUNGS = [None, "asked", "sigterm", "sigkill"]


def command(name: str = "a", op: Operation = "stop", after: Literal["batch", "epoch"] = "batch") -> Command:
    """Commands with other names are asked well apart in time."""
    return Command(id=name, op=op, time=10.0 * ord(name), by=f"user of {name}", after=after)


def asked(*commands: Command, now: float = 100.0, **seen: Any) -> Ladder:
    return climb(Ladder(patience_s=PATIENCE), StopView(now=now, asked=commands, **seen))


def test_without_a_command_nothing_happens() -> None:
    idle = Ladder(patience_s=PATIENCE)
    assert climb(idle, StopView(now=5.0, listens=True, busy=True)) == idle
    assert idle.deadline is None


def test_a_checkpoint_command_is_no_stop() -> None:
    assert asked(command(op="checkpoint")).rung is None


def test_telemetry_that_listens_is_asked_and_given_its_patience() -> None:
    ladder = asked(command(), listens=True)
    assert (ladder.rung, ladder.deadline) == ("asked", 100 + PATIENCE)
    assert climb(ladder, StopView(now=129.9, listens=True)).rung == "asked"
    late = climb(ladder, StopView(now=130.0, listens=True))
    assert (late.rung, late.deadline) == ("sigterm", 130 + PATIENCE)
    last = climb(late, StopView(now=160.0, listens=True))
    assert (last.rung, last.deadline) == ("sigkill", None)
    assert climb(last, StopView(now=1e9)) == last


def test_a_program_without_telemetry_gets_sigterm_soon() -> None:
    ladder = asked(command())
    assert ladder.deadline == 100 + UNHEARD_PATIENCE_S
    assert climb(ladder, StopView(now=101.0)).rung == "sigterm"


def test_a_patience_below_a_second_holds_for_the_unheard_too() -> None:
    ladder = climb(Ladder(patience_s=0.2), StopView(now=0.0, asked=(command(),)))
    assert ladder.deadline == 0.2


def test_telemetry_that_appears_in_time_gets_its_patience() -> None:
    ladder = climb(asked(command()), StopView(now=100.5, listens=True))
    assert (ladder.rung, ladder.deadline) == ("asked", 100.5 + PATIENCE)


def test_a_second_stop_is_harder_at_once_and_a_third_is_hardest() -> None:
    ladder = climb(asked(command(), listens=True), StopView(now=101.0, asked=(command("b"),), listens=True))
    assert (ladder.rung, ladder.deadline) == ("sigterm", 101 + PATIENCE)
    assert climb(ladder, StopView(now=102.0, asked=(command("c"),))).rung == "sigkill"


def test_two_stops_seen_in_one_look_are_two() -> None:
    assert asked(command("a"), command("b"), listens=True).rung == "sigterm"


def test_two_people_who_stop_at_once_mean_one_stop() -> None:
    first = command("a")
    second = msgspec.structs.replace(first, id="b", time=first.time + SAME_ASK_S / 2)
    ladder = asked(first, second, listens=True)
    assert (ladder.rung, ladder.request) == ("asked", first)


@pytest.mark.parametrize("before", [(), (command(),), (command(), command("b"))])
def test_kill_is_the_last_rung_at_once(before: tuple[Command, ...]) -> None:
    ladder = climb(asked(*before, listens=True), StopView(now=101.0, asked=(command("k", "kill"),)))
    assert ladder.rung == "sigkill"
    assert ladder.request is not None
    assert ladder.request.by == "user of k"


def test_a_checkpoint_being_written_extends_the_patience() -> None:
    ladder = climb(asked(command(), listens=True), StopView(now=129.0, listens=True, busy=True, answers={"a": "taken"}))
    assert (ladder.rung, ladder.deadline) == ("asked", 129 + BUSY_FACTOR * PATIENCE)
    done = climb(ladder, StopView(now=300.0, listens=True, answers={"a": "done"}))
    assert done.deadline == 300 + PATIENCE, "the checkpoint is complete: the program has to leave now"
    stuck = climb(ladder, StopView(now=129 + BUSY_FACTOR * PATIENCE, listens=True, busy=True))
    assert stuck.rung == "sigterm", "bounded, however long a checkpoint takes"


def test_the_clock_of_a_rung_stands_still_while_any_checkpoint_is_written() -> None:
    """However often it saves, what is between the checkpoints adds up."""
    ladder = asked(command(), listens=True)
    for saves in range(3):
        began = 110.0 + 20 * saves
        ladder = climb(ladder, StopView(now=began, listens=True, busy=True))
        assert ladder.deadline is not None
        assert ladder.deadline > began + PATIENCE
        ladder = climb(ladder, StopView(now=began + 11, listens=True))
    assert ladder.deadline == 100 + PATIENCE + 33
    assert climb(ladder, StopView(now=163.0, listens=True)).rung == "sigterm"


def test_sigkill_waits_for_a_checkpoint_too_and_all_waiting_has_one_limit() -> None:
    saving = climb(asked(command(), listens=True), StopView(now=110.0, listens=True, busy=True))
    harder = climb(saving, StopView(now=120.0, asked=(command("b"),), listens=True, busy=True))
    limit = BUSY_FACTOR * PATIENCE
    assert (harder.rung, harder.deadline) == ("sigterm", 110 + limit), "asked again, SIGTERM is sent all the same"
    assert climb(harder, StopView(now=110 + limit, busy=True)).rung == "sigkill"
    done = climb(harder, StopView(now=150.0))
    assert (done.rung, done.deadline) == ("sigterm", 150 + PATIENCE)


def test_a_validation_that_stands_still_is_waited_for_no_longer() -> None:
    ladder = climb(asked(command(), listens=True), StopView(now=101.0, listens=True, busy=True))
    assert ladder.deadline == 101 + BUSY_FACTOR * PATIENCE
    seen = climb(ladder, StopView(now=115.0, listens=True, hangs=True))
    assert (seen.rung, seen.deadline) == ("asked", 100 + PATIENCE), "the wait for it is taken back"
    late = climb(ladder, StopView(now=140.0, listens=True, hangs=True))
    assert (late.rung, late.deadline) == ("sigterm", 140 + PATIENCE)
    assert climb(late, StopView(now=170.0, listens=True, hangs=True)).rung == "sigkill"


def test_a_stop_may_bring_its_own_patience_for_each_rung() -> None:
    mine = msgspec.structs.replace(command(), patience_s=60.0, term_patience_s=5.0)
    ladder = asked(mine, listens=True)
    assert ladder.deadline == 160
    assert climb(ladder, StopView(now=160.0, listens=True)).deadline == 165
    started_with = Ladder(patience_s=PATIENCE, term_patience_s=7.0)
    ladder = climb(started_with, StopView(now=100.0, asked=(command(),), listens=True))
    assert climb(ladder, StopView(now=130.0, listens=True)).deadline == 137


def test_a_program_that_goes_on_after_the_stop_is_done_gets_sigterm() -> None:
    done = climb(asked(command(), listens=True), StopView(now=110.0, listens=False, answers={"a": "done"}))
    again = climb(done, StopView(now=120.0, listens=True, answers={"a": "done"}))
    assert again.deadline == 110 + PATIENCE, "its next fit wins it no time"


def test_a_fit_that_ends_by_itself_meanwhile_gets_time_to_leave() -> None:
    ladder = climb(asked(command(), listens=True), StopView(now=125.0, listens=False))
    assert (ladder.rung, ladder.deadline) == ("asked", 125 + PATIENCE)


def test_a_refused_stop_goes_on_with_sigterm() -> None:
    ladder = climb(asked(command(), listens=True), StopView(now=101.0, listens=True, answers={"a": "refused"}))
    assert ladder.rung == "sigterm"


class TestAfterEpoch:
    """A stop at the end of the epoch waits for as long as the epoch takes."""

    def test_it_has_no_deadline(self) -> None:
        ladder = asked(command(after="epoch"), listens=True)
        assert (ladder.rung, ladder.deadline) == ("asked", None)
        assert climb(ladder, StopView(now=1e9, listens=True)).rung == "asked"

    def test_a_checkpoint_amid_the_epoch_brings_none(self) -> None:
        taken = asked(command(after="epoch"), listens=True, answers={"a": "taken"})
        assert climb(taken, StopView(now=200.0, listens=True, busy=True, answers={"a": "taken"})).deadline is None

    def test_once_the_fit_is_over_it_has_one(self) -> None:
        ladder = climb(asked(command(after="epoch"), listens=True), StopView(now=500.0, answers={"a": "done"}))
        assert ladder.deadline == 500 + PATIENCE

    def test_a_stop_after_the_batch_replaces_it_gently(self) -> None:
        ladder = climb(
            asked(command(after="epoch"), listens=True), StopView(now=200.0, asked=(command("b"),), listens=True)
        )
        assert (ladder.rung, ladder.deadline) == ("asked", 200 + PATIENCE)

    def test_it_softens_no_stop_that_is_under_way(self) -> None:
        before = asked(command(), listens=True)
        assert climb(before, StopView(now=101.0, asked=(command("b", after="epoch"),), listens=True)) == before


_LOOKS = st.lists(
    st.tuples(
        st.floats(0, 50),
        st.lists(
            st.builds(
                command,
                st.sampled_from("ab"),
                st.sampled_from(["stop", "kill", "checkpoint"]),
                st.sampled_from(["batch", "epoch"]),
            ),
            max_size=2,
        ),
        st.booleans(),
        st.booleans(),
        st.dictionaries(st.sampled_from("ab"), st.sampled_from(["taken", "done", "refused"])),
    ),
    max_size=12,
)


@given(_LOOKS)
def test_no_stop_ever_gets_softer(looks: list[tuple[float, list[Command], bool, bool, dict[str, str]]]) -> None:
    ladder, now = Ladder(patience_s=PATIENCE), 0.0
    for passed, commands, listens, saving, answers in looks:
        now += passed
        before = ladder
        ladder = climb(ladder, StopView(now=now, asked=tuple(commands), listens=listens, busy=saving, answers=answers))
        assert RUNGS.index(ladder.rung) >= RUNGS.index(before.rung)
        assert any(c.op == "kill" for c in commands) <= (ladder.rung == "sigkill")
        assert ladder.deadline is None or ladder.deadline > now
