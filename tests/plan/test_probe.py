"""Reading what a probe wrote."""

from __future__ import annotations

import msgspec
import pytest

from lightning_tui.plan.probe import LoaderFacts, Measurement, ProbeError, ProgramProbe, parse_probe


def test_it_reads_back_what_was_written() -> None:
    probe = ProgramProbe(
        parameters=10,
        loader=LoaderFacts(kind="DataLoader", batches=None, num_workers=4),
        trainer={"devices": [0, 1], "max_epochs": None},
        measurements=(
            Measurement(
                precision="32-true", batch_size=None, peak=9, parameters=1, gradients=2, optimizer=3, activations=1,
                temporary=2, update=1,
            ),
        ),
    )  # fmt: skip
    assert parse_probe(msgspec.json.encode(probe)) == probe


def test_nothing_known_is_no_error() -> None:
    assert parse_probe(b"{}") == ProgramProbe()


def test_what_a_later_runner_adds_is_passed_over() -> None:
    assert parse_probe(b'{"parameters": 3, "phase_of_the_moon": "full"}').parameters == 3


@pytest.mark.parametrize("data", [b"", b"[]", b'{"parameters": "many"}', b'{"measurements": [{}]}', b"\xff"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProbeError, match="cannot be read"):
        parse_probe(data)
