"""How little of a sample is written: what is new, and all of it now and then."""

from __future__ import annotations

from lightning_tui.launch.sampling import REPEAT_S, GpuNews
from lightning_tui.record import GpuSample
from lightning_tui.record.samples import GpuChange, change_of

GPUS = (GpuSample(index=0, name="H100", utilization=5.0), GpuSample(index=0, mig=0, name="slice"))


def test_only_what_is_new_is_told() -> None:
    news = GpuNews()
    assert news.changes(GPUS, 10.0) == tuple(change_of(None, gpu) for gpu in GPUS)
    assert news.changes(GPUS, 11.0) == (GpuChange(index=0), GpuChange(index=0, mig=0))
    later = (GpuSample(index=0, name="H100", utilization=6.0), GPUS[1])
    assert news.changes(later, 12.0) == (GpuChange(index=0, utilization=6.0), GpuChange(index=0, mig=0))


def test_one_that_comes_back_is_told_whole() -> None:
    news = GpuNews()
    news.changes(GPUS, 10.0)
    assert news.changes(GPUS[:1], 11.0) == (GpuChange(index=0),)
    assert news.changes(GPUS, 12.0)[1] == change_of(None, GPUS[1])


def test_all_is_repeated_now_and_then() -> None:
    news = GpuNews()
    whole = news.changes(GPUS, 10.0)
    assert news.changes(GPUS, 10.0 + REPEAT_S - 1) != whole
    assert news.changes(GPUS, 10.0 + REPEAT_S) == whole
    assert news.changes(GPUS, 11.0 + REPEAT_S) != whole


def test_what_could_not_be_written_is_told_again() -> None:
    news = GpuNews()
    whole = news.changes(GPUS, 10.0)
    news.forget()
    assert news.changes(GPUS, 11.0) == whole
