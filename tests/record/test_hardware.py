"""What the supervisors' samples add up to: whole readings out of changes, node by node, and each GPU's last minutes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lightning_tui.record import GpuProcess, GpuSample, HostSample, NodeView, RunDirectory, RunReader, RunStore
from lightning_tui.record.events import Sampled, SupervisorStarted
from lightning_tui.record.hardware import POINTS
from lightning_tui.record.samples import GpuChange, change_of, fields_of
from tests.record.events import make
from tests.record.test_history import PROGRAM, write

HOST = HostSample(cpu_count=4)
FULL = GpuSample(
    index=1,
    uuid="GPU-1",
    name="H100",
    memory_used=5,
    memory_total=80,
    utilization=97.0,
    throttled=("heat",),
    processes=(GpuProcess(42, 5, ours=True, owner="ada", name="python"),),
)


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunStore(tmp_path).create(program=PROGRAM, plan={}, now=100.0)[0]


def sample(time: float, *gpus: GpuChange, missing: str | None = None) -> Sampled:
    return make(Sampled, time=time, host=HOST, gpus=gpus, gpus_missing=missing)


def whole(index: int = 0, **fields: object) -> GpuChange:
    return change_of(None, GpuSample(index=index, **fields))  # type: ignore[arg-type]


class TestChanges:
    """A change says what is new, and only that."""

    def test_it_has_a_field_for_each_of_a_reading(self) -> None:
        assert GpuChange.__struct_fields__ == GpuSample.__struct_fields__

    def test_the_first_says_all_and_unknowns_too(self) -> None:
        written = msgspec.json.encode(change_of(None, FULL))
        assert set(msgspec.json.decode(written)) == set(GpuSample.__struct_fields__) - {"mig"}
        read = msgspec.json.decode(written, type=GpuChange)
        assert GpuSample(index=read.index, mig=read.mig, **fields_of(read)) == FULL

    def test_the_next_says_what_is_new(self) -> None:
        later = msgspec.structs.replace(FULL, utilization=98.0, processes=None)
        written = msgspec.json.encode(change_of(FULL, later))
        assert msgspec.json.decode(written) == {"index": 1, "utilization": 98.0, "processes": None}

    def test_nothing_new_is_the_place_alone(self) -> None:
        assert fields_of(change_of(FULL, FULL)) == {}


def test_changes_add_up_to_whole_readings(directory: RunDirectory) -> None:
    write(
        directory.supervisor_log(0),
        make(SupervisorStarted, host="ada"),
        sample(1.0, change_of(None, FULL), whole(2, name="L4", mig=3)),
        sample(2.0, GpuChange(index=1, utilization=50.0, throttled=None), GpuChange(index=2, mig=3, memory_used=9)),
    )
    reader = RunReader(directory)
    reader.poll()
    snapshot = reader.snapshot()
    first = msgspec.structs.replace(FULL, utilization=50.0, throttled=None)
    assert snapshot.gpus == (first, GpuSample(index=2, mig=3, name="L4", memory_used=9))
    assert snapshot.nodes == (NodeView(name="ada", host=HOST, gpus=snapshot.gpus, gpus_missing=None),)
    write(directory.supervisor_log(0), sample(3.0, missing="no driver"))
    reader.poll()
    assert (reader.snapshot().gpus, reader.snapshot().gpus_missing) == ((), "no driver")
    write(directory.supervisor_log(0), sample(4.0, GpuChange(index=1, utilization=1.0)))
    reader.poll()
    assert reader.snapshot().gpus == (GpuSample(index=1, utilization=1.0),), "one that was away has to say all again"


def test_each_node_has_its_own_hardware(directory: RunDirectory) -> None:
    """Node 1 says more than node 0, and is on a host of its own; node 2 shares the host of node 0."""
    for node, host in ((0, "ada"), (1, "bob"), (2, "ada")):
        write(
            directory.supervisor_log(node),
            make(SupervisorStarted, node=node, host=host),
            sample(1.0, whole(0, utilization=float(node), memory_used=node)),
        )
    write(directory.supervisor_log(3), sample(1.0, missing="no NVIDIA driver found"))
    reader = RunReader(directory)
    reader.poll()
    snapshot = reader.snapshot()
    assert [node.name for node in snapshot.nodes] == ["ada (0)", "bob", "ada (2)", "node 3"]
    assert [[gpu.utilization for gpu in node.gpus] for node in snapshot.nodes] == [[0.0], [1.0], [2.0], []]
    assert snapshot.nodes[3].gpus_missing == "no NVIDIA driver found"
    assert (snapshot.gpus, snapshot.host) == (snapshot.nodes[0].gpus, HOST)
    assert snapshot.gpu_history["bob", 0, None].utilization == (1.0,)
    assert set(snapshot.gpu_history) == {("ada (0)", 0, None), ("bob", 0, None), ("ada (2)", 0, None)}


class TestHistory:
    """The last minutes of a GPU, at even distances."""

    def history(self, directory: RunDirectory, *samples: Sampled) -> tuple[list[float | None], list[int | None]]:
        write(directory.supervisor_log(0), *samples)
        reader = RunReader(directory)
        reader.poll()
        history = reader.snapshot().gpu_history["node 0", 0, None]
        assert history.seconds == 1.0
        return list(history.utilization), list(history.memory_used)

    def test_points_are_carried_on_where_nothing_changed(self, directory: RunDirectory) -> None:
        samples = (whole(utilization=5.0, memory_used=7), GpuChange(index=0), GpuChange(index=0, utilization=6.0))
        expected = ([5.0, 5.0, 6.0], [7, 7, 7])
        assert self.history(directory, *(sample(10.0 + i, gpu) for i, gpu in enumerate(samples))) == expected

    def test_a_gap_in_time_is_a_gap_in_the_points(self, directory: RunDirectory) -> None:
        samples = [sample(time, whole(utilization=time)) for time in (10.0, 11.1, 11.9, 15.05)]
        assert self.history(directory, *samples)[0] == [10.0, 11.1, 11.9, None, None, 15.05]

    def test_two_samples_in_one_second_are_one_point(self, directory: RunDirectory) -> None:
        samples = [sample(time, whole(utilization=time)) for time in (10.0, 10.2, 11.0)]
        assert self.history(directory, *samples)[0] == [10.2, 11.0]

    def test_a_clock_that_is_set_back_does_not_stop_it(self, directory: RunDirectory) -> None:
        samples = [sample(time, whole(utilization=time)) for time in (1000.0, 10.0, 11.0)]
        assert self.history(directory, *samples)[0] == [1000.0, 10.0, 11.0]

    def test_a_reading_that_is_stale_is_no_point(self, directory: RunDirectory) -> None:
        samples = (sample(1.0, whole(utilization=5.0)), sample(2.0, GpuChange(index=0, stale_s=3.0)))
        assert self.history(directory, *samples)[0] == [5.0, None]

    def test_it_is_bounded(self, directory: RunDirectory) -> None:
        samples = [sample(float(i), whole(utilization=float(i))) for i in range(POINTS + 5)]
        assert self.history(directory, *samples)[0] == [float(i) for i in range(5, POINTS + 5)]

    def test_a_long_gap_is_bounded_too(self, directory: RunDirectory) -> None:
        utilization, _ = self.history(directory, *(sample(t, whole(utilization=t)) for t in (0.0, 1e6)))
        assert utilization == [None] * (POINTS - 1) + [1e6]

    def test_it_is_made_once_a_sample_and_not_once_a_snapshot(self, directory: RunDirectory) -> None:
        write(directory.supervisor_log(0), sample(1.0, whole(utilization=5.0)))
        reader = RunReader(directory)
        reader.poll()
        before = reader.snapshot()
        assert reader.snapshot().gpu_history is before.gpu_history
        assert reader.snapshot().nodes is before.nodes
        write(directory.supervisor_log(0), sample(2.0, GpuChange(index=0, utilization=6.0)))
        reader.poll()
        assert reader.snapshot().gpu_history["node 0", 0, None].utilization == (5.0, 6.0)
        assert before.gpu_history["node 0", 0, None].utilization == (5.0,), "a snapshot never changes"
