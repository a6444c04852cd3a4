"""Where does the time of a step go? Data loading, slow ranks, logging, validation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median
from typing import Any

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.observations import WindowPace, gpus_of
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.live.words import percent
from lightning_tui.diagnosis.model import Suggestion
from lightning_tui.text.units import number, per_step, plural, short_duration

EVIDENCE_S = 10.0
EVIDENCE_BATCHES = 20
"""No pace is judged by less: first batches compile, warm caches up and start workers."""

WAIT_SHARE, WAIT_SHARE_UNTIL = 0.25, 0.15
"""Data loading is the bottleneck from a quarter of the step on: without it the run would be a third faster."""
LEAST_WAIT_S = 0.002
"""To hand one batch over from a worker takes up to about this long, so that workers could not help."""
BUSY_LOAD = 0.9
"""GPUs that are busy for so much of the time are no slower for the wait: it lies beside their work."""
CPUS_FULL = 90.0
"""Percent of the host's CPUs from which more workers find none."""
MOST_WORKERS = 32

STRAGGLER_SHARE, STRAGGLER_SHARE_UNTIL = 0.20, 0.12
STRAGGLER_S = 0.005
"""A rank holds the others up where it waits for its data longer than they do by this share of a step, and by 5 ms:
in synchronous training all ranks then show the same step time."""
SLOWER, SLOWER_UNTIL = 1.3, 1.2
"""Where ranks do not wait for each other: this many times the median step."""
STRAGGLER_EVIDENCE_S = 30.0

QUICK_STEP_S = 0.010
"""A logger's entry takes about 0.1 to 1 ms, and the values are waited for on the GPU: of 10 ms that can be seen."""
FREQUENT_LOG = 2
LOG_EVIDENCE_BATCHES = 500
LIGHTNINGS_LOG_INTERVAL = 50

VALIDATION_SHARE, VALIDATION_SHARE_UNTIL = 0.5, 0.4
OFTEN_BATCHES = 10
OFTEN_SHARE, OFTEN_SHARE_UNTIL = 0.2, 0.15
"""Validation after every few batches is seldom meant, so a fifth of the time is said there, else half of it."""
WANTED_SHARE = 0.1


def judged_pace(moment: RuleInput) -> WindowPace | None:
    """The pace of the last minute where there is enough of it to judge."""
    pace = moment.seen.pace()
    if pace is None or pace.span_s < EVIDENCE_S or pace.batches < EVIDENCE_BATCHES:
        return None
    return pace if moment.seen.fit_s >= EVIDENCE_S else None


def data_loading(moment: RuleInput) -> Iterator[Advice]:
    """Data loading is the bottleneck: see `WAIT_SHARE`, `LEAST_WAIT_S`, `BUSY_LOAD`."""
    pace = judged_pace(moment)
    limit = moment.limit("data-loading", above=WAIT_SHARE, until=WAIT_SHARE_UNTIL)
    if pace is None or pace.share < limit or pace.wait_s < LEAST_WAIT_S:
        return
    load = moment.seen.load([key for key, _ in gpus_of(moment.run)], EVIDENCE_S)
    if load is not None and load >= BUSY_LOAD:
        return
    yield Advice(
        id="data-loading",
        severity="warning",
        title=f"{percent(pace.share)} of each step waits for data ({per_step(pace.wait_s)} of {per_step(pace.step_s)})",
        cause=_why_data_is_slow(moment, load),
        suggestions=tuple(_faster_data(moment, pace)),
    )


def _why_data_is_slow(moment: RuleInput, load: float | None) -> str:
    workers = moment.whole("num_workers")
    if workers is None:
        how = "How the data is loaded is not known."
    elif workers == 0:
        how = "The training process loads its data itself (num_workers=0), and does not train meanwhile."
    else:
        how = f"{plural(workers, 'worker')} per rank cannot load as fast as the model trains."
    gpus = "" if load is None else f" The GPUs are busy for {percent(load)} of the time."
    return f"{how}{gpus} Without this wait a step would take {percent(1 - _share(moment))} of its time."


def _share(moment: RuleInput) -> float:
    pace = moment.seen.pace()
    return pace.share if pace is not None else 0.0


def _faster_data(moment: RuleInput, pace: WindowPace) -> Iterator[Suggestion]:
    workers, cpus = moment.whole("num_workers"), cpus_per_rank(moment)
    are_full = _cpus_are_full(moment)
    if workers is not None and cpus is not None and not are_full:
        wanted = min(workers_needed(pace, workers), max(1, cpus - 1), MOST_WORKERS)
        if wanted > workers:
            yield Suggestion(
                text=f"Load with {plural(wanted, 'worker process', 'worker processes')} per rank, kept between epochs: "
                f"there {'is' if cpus == 1 else 'are'} {plural(cpus, 'CPU')} for each rank.",
                changes={"num_workers": wanted, "persistent_workers": True},
            )
    if workers and moment.whole("prefetch_factor") in (None, 2):
        yield Suggestion(
            text="Let each worker load further ahead, if some batches take much longer than others.",
            changes={"prefetch_factor": 4},
        )
    more = "The CPUs are full: " if are_full else ""
    yield Suggestion(
        text=f"{more}Make loading cheaper: decode and resize the data beforehand, or use faster transforms or a "
        "faster disk."
    )


def _cpus_are_full(moment: RuleInput) -> bool:
    """Whether the host's CPUs are busy, and the run itself takes half of them at least."""
    host = moment.run.host
    if host is None or host.cpu_percent is None or host.run_cpu_percent is None or not host.cpu_count:
        return False
    return host.cpu_percent >= CPUS_FULL and host.run_cpu_percent >= 50 * host.cpu_count


def cpus_per_rank(moment: RuleInput) -> int | None:
    """CPUs of the first node for each of its ranks."""
    host = moment.run.host
    if host is None or host.cpu_count is None or not moment.run.ranks:
        return None
    first = moment.run.ranks[0].host
    return max(1, host.cpu_count // sum(rank.host == first for rank in moment.run.ranks))


def workers_needed(pace: WindowPace, workers: int) -> int:
    """Workers that load a batch in the time that the rest of the step takes, and a quarter more.

    With 0 workers the wait is the time to load a batch; with w of them that is w steps, since loading sets the pace.
    """
    load_s = pace.wait_s if workers == 0 else pace.step_s * workers
    rest_s = max(pace.step_s - pace.wait_s, 1e-4)
    return math.ceil(1.25 * load_s / rest_s)


def straggler(moment: RuleInput) -> Iterator[Advice]:
    """One rank holds the others up: see `STRAGGLER_SHARE` and `SLOWER`."""
    paces = {rank: pace for rank, pace in moment.seen.ranks.items() if pace.step.seen_s >= STRAGGLER_EVIDENCE_S}
    if len(paces) < 2 or len(paces) < len(moment.run.ranks):
        return
    step = median(pace.step.value for pace in paces.values())
    slowest = max(paces, key=lambda rank: paces[rank].step.value)
    hungriest = max(paces, key=lambda rank: paces[rank].wait.value)
    slower = moment.limit("straggler", above=SLOWER, until=SLOWER_UNTIL)
    others = median(pace.step.value for rank, pace in paces.items() if rank != slowest)
    if paces[slowest].step.value >= slower * others:
        yield _slow_rank(moment, slowest, paces[slowest].step.value, others)
        return
    usual = median(pace.wait.value for rank, pace in paces.items() if rank != hungriest)
    excess = paces[hungriest].wait.value - usual
    limit = moment.limit("straggler", above=STRAGGLER_SHARE, until=STRAGGLER_SHARE_UNTIL)
    if excess >= limit * step and excess >= STRAGGLER_S:
        yield _hungry_rank(moment, hungriest, paces[hungriest].wait.value, usual, step)


def _host_of(moment: RuleInput, rank: int) -> str:
    return next((f" on {view.host}" for view in moment.run.ranks if view.rank == rank), "")


def _slow_rank(moment: RuleInput, rank: int, step: float, others: float) -> Advice:
    return Advice(
        id="straggler",
        severity="warning",
        title=f"Rank {rank} is slow: {per_step(step)} a step, the others {per_step(others)}",
        cause=f"Rank {rank}{_host_of(moment, rank)} takes {number(step / others)} times as long; the other ranks "
        "wait for it.",
        suggestions=(Suggestion(text="Check its GPU (clock, temperature, other processes) and its host's CPUs."),),
        rank=rank,
    )


def _hungry_rank(moment: RuleInput, rank: int, wait: float, usual: float, step: float) -> Advice:
    return Advice(
        id="straggler",
        severity="warning",
        title=f"Rank {rank} delays the others: it waits {per_step(wait)} for data, they {per_step(usual)}",
        cause=f"All ranks synchronise at every step ({per_step(step)}), so all are as slow as rank {rank}"
        f"{_host_of(moment, rank)}.",
        suggestions=(
            Suggestion(
                text="Check the disk and CPUs of that host, and whether its part of the data is larger or slower."
            ),
            Suggestion(text="Shuffle or balance the shards, so that long samples are spread over the ranks."),
        ),
        rank=rank,
    )


def log_interval(moment: RuleInput) -> Iterator[Advice]:
    """Every quick step goes to a logger: see `QUICK_STEP_S` and `FREQUENT_LOG`."""
    pace, every = judged_pace(moment), moment.whole("log_every_n_steps")
    trainer = moment.run.trainer
    if pace is None or every is None or not 1 <= every <= FREQUENT_LOG or trainer is None or trainer.log_dir is None:
        return
    slowest = moment.limit("log-interval", above=QUICK_STEP_S, until=1.5 * QUICK_STEP_S)
    if pace.step_s > slowest or moment.seen.batches < LOG_EVIDENCE_BATCHES:
        return
    which = "every step" if every == 1 else f"every {every} steps"
    yield Advice(
        id="log-interval",
        severity="hint",
        title=f"Logged {which}, and a step takes {per_step(pace.step_s)}: {number(1 / pace.step_s / every)} "
        "entries a second",
        cause="Each entry waits for its values on the device and is written by the logger, which is a large part of "
        "so short a step.",
        suggestions=(
            Suggestion(
                text=f"Log every {LIGHTNINGS_LOG_INTERVAL} steps, Lightning's default.",
                changes={"log_every_n_steps": LIGHTNINGS_LOG_INTERVAL},
            ),
        ),
    )


def validation(moment: RuleInput) -> Iterator[Advice]:
    """Validation takes much of the time: see `VALIDATION_SHARE` and `OFTEN_SHARE`."""
    seen, progress = moment.seen, moment.run.progress
    every = batches_between_validations(moment)
    batch_s, takes = seen.train_batch_s, progress.validation_s if progress is not None else None
    if every is None or not batch_s or takes is None or seen.batches < 2 * every:
        return
    if _watched_s(moment) < EVIDENCE_S:
        return
    share = takes / (takes + every * batch_s)
    is_often = every <= OFTEN_BATCHES
    above, until = (OFTEN_SHARE, OFTEN_SHARE_UNTIL) if is_often else (VALIDATION_SHARE, VALIDATION_SHARE_UNTIL)
    if share < moment.limit("validation", above=above, until=until):
        return
    how_often = "every batch" if every == 1 else f"{plural(every, 'batch', 'batches')}"
    yield Advice(
        id="validation",
        severity="warning" if share >= VALIDATION_SHARE else "hint",
        title=f"{percent(share)} of the time is validation: {_seconds(takes)} after {how_often}",
        cause=f"{plural(every, 'training batch', 'training batches')} take {_seconds(every * batch_s)}, the validation "
        f"after {'it' if every == 1 else 'them'} {_seconds(takes)}.",
        suggestions=tuple(_rarer_validation(moment, takes, batch_s)),
    )


def _watched_s(moment: RuleInput) -> float:
    """How long the fit goes on, in training and validation."""
    return moment.now - moment.run.started_at if moment.run.started_at is not None else moment.seen.fit_s


def _seconds(seconds: float) -> str:
    return per_step(seconds) if seconds < 60 else short_duration(seconds)


def batches_between_validations(moment: RuleInput) -> int | None:
    """Training batches from one validation to the next: Lightning's `val_check_interval` and
    `check_val_every_n_epoch` (`trainer/trainer.py`); `None` where the length of an epoch is not known."""
    interval, epochs = moment.actual("val_check_interval"), moment.whole("check_val_every_n_epoch")
    total = moment.seen.epoch_batches
    if type(interval) is int:
        batches = interval
    elif isinstance(interval, float) and total:
        batches = max(1, int(interval * total))
    else:
        return None
    return batches * epochs if epochs and total and batches >= total else batches


def _rarer_validation(moment: RuleInput, takes: float, batch_s: float) -> Iterator[Suggestion]:
    total = moment.seen.epoch_batches
    wanted = math.ceil(takes / batch_s * (1 - WANTED_SHARE) / WANTED_SHARE)
    changes: dict[str, Any]
    if total and wanted >= total:
        changes = {"val_check_interval": 1.0, "check_val_every_n_epoch": math.ceil(wanted / total)}
        text = f"Validate after every {plural(math.ceil(wanted / total), 'epoch')}"
    else:
        changes = {"val_check_interval": wanted}
        text = f"Validate after every {plural(wanted, 'batch', 'batches')}"
    yield Suggestion(text=f"{text}: about {percent(WANTED_SHARE)} of the time.", changes=changes)
    yield Suggestion(text="Or validate on part of the data.", changes={"limit_val_batches": 0.25})


SPEED_RULES = (data_loading, straggler, log_interval, validation)
