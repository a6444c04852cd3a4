"""Do the GPUs do what they could? Idle, held down, and fed from pageable memory."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.observations import gpus_of
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.live.rules.speed import BUSY_LOAD, EVIDENCE_S, WAIT_SHARE, judged_pace
from lightning_tui.diagnosis.live.words import percent
from lightning_tui.diagnosis.model import Suggestion
from lightning_tui.text.units import number, per_step, size

IDLE_LOAD, IDLE_LOAD_UNTIL = 0.30, 0.45
IDLE_S = 60.0
"""A kernel ran in less than 30 % of a minute of training (NVML's utilization)."""
HALF_EMPTY = 0.45
"""Share of its memory below which a GPU surely has room for twice the batch."""

HELD_SHARE, HELD_SHARE_UNTIL = 0.5, 0.2
HELD_S = 30.0
"""Heat, a power brake or another slowdown held the clock down for half of the time (`nvmlClocksEventReason`)."""
LOW_CLOCK, LOW_CLOCK_UNTIL = 0.6, 0.7
"""The power limit alone is how a busy GPU runs; a clock below 60 % of the highest is a limit set far too low."""

PIN_BATCHES = 50
PIN_WAIT = 0.05


def idle(moment: RuleInput) -> Iterator[Advice]:
    """The GPUs idle while the run trains, and it is not for data: see `IDLE_LOAD`."""
    pace = judged_pace(moment)
    gpus = list(gpus_of(moment.run))
    load = moment.seen.load([key for key, _ in gpus], IDLE_S)
    if pace is None or load is None or load >= moment.limit("gpu-idle", above=IDLE_LOAD, until=IDLE_LOAD_UNTIL):
        return
    if pace.share >= WAIT_SHARE or "data-loading" in moment.told:
        return  # said there, with the cause
    which = "The GPU is" if len(gpus) == 1 else f"The {len(gpus)} GPUs are"
    yield Advice(
        id="gpu-idle",
        severity="hint",
        title=f"{which} busy for only {percent(load)} of the time while it trains",
        cause=f"Data loading is not the reason ({per_step(pace.wait_s)} of {per_step(pace.step_s)} a step): small "
        "batches, "
        "many tiny kernels, Python between them, or values that are copied off the GPU at each step (.item(), print).",
        suggestions=tuple(_more_work(moment)),
    )


def _more_work(moment: RuleInput) -> Iterator[Suggestion]:
    batch = moment.whole("batch_size")
    filled = [
        rank.peak_allocated / rank.device_total
        for rank in moment.run.ranks
        if rank.peak_allocated is not None and rank.device_total
    ]
    if batch and filled and max(filled) < HALF_EMPTY:
        yield Suggestion(
            text=f"Twice the batch ({batch} → {2 * batch}): {percent(max(filled))} of the GPU's memory is used. "
            "The learning rate may have to be adapted.",
            changes={"batch_size": 2 * batch},
        )
    if moment.run.trainer is not None and not moment.actual("compile"):
        yield Suggestion(text="torch.compile fuses small kernels.", changes={"compile": "default"})
    yield Suggestion(text="Log tensors rather than .item(), and less often.")


def throttled(moment: RuleInput) -> Iterator[Advice]:
    """A GPU's clock is held down: see `HELD_SHARE` and `LOW_CLOCK`."""
    for key, gpu in gpus_of(moment.run):
        watch = moment.seen.gpus.get(key)
        if watch is None or watch.held.seen_s < HELD_S:
            continue
        node, index, _ = key
        own = f"gpu-throttled:{node}:{index}"
        clock = watch.clock.value if watch.clock.seen_s else None
        at = "" if clock is None else f", at {percent(clock)} of its highest clock"
        name = f"GPU {index}" + (f" of {node}" if len(moment.run.nodes) > 1 else "")
        rank = next((view.rank for view in moment.run.ranks if gpu.uuid and view.device_uuid == gpu.uuid), None)
        heat = "" if gpu.temperature is None else f" It is at {number(gpu.temperature)} °C."
        if watch.held.value >= moment.limit(own, above=HELD_SHARE, until=HELD_SHARE_UNTIL):
            why = ", ".join(watch.reasons) or "its driver"
            yield Advice(
                id=own, severity="warning", rank=rank,
                title=f"{name} is slowed down by {why}{at}",
                cause=f"This was so for {percent(watch.held.value)} of the last minute.{heat} In synchronous training "
                "all ranks are as slow as the slowest.",
                suggestions=(Suggestion(text="Check its fans, airflow and power supply, or exclude this GPU."),),
            )  # fmt: skip
        elif _is_capped(moment, own, gpu.throttled, clock, watch.clock.seen_s):
            limit = "" if gpu.power_limit is None else f" of {number(gpu.power_limit)} W"
            yield Advice(
                id=own, severity="hint", rank=rank,
                title=f"{name} is slowed down by its power limit{at}",
                cause=f"A power limit{limit} far below the default of this GPU costs much of its speed.",
                suggestions=(Suggestion(text="Ask the administrator whether the limit is intended (nvidia-smi -q "
                                             "-d POWER)."),),
            )  # fmt: skip


def _is_capped(
    moment: RuleInput, own: str, reasons: tuple[str, ...] | None, clock: float | None, seen_s: float
) -> bool:
    if clock is None or seen_s < IDLE_S or "power cap" not in (reasons or ()):
        return False
    return clock < moment.limit(own, above=LOW_CLOCK, until=LOW_CLOCK_UNTIL)


def pageable(moment: RuleInput) -> Iterator[Advice]:
    """Batches are not page-locked though they go to a GPU, which is not kept busy.

    PyTorch's performance tuning guide: pinned memory lets the copy run beside the computation.
    """
    pace = judged_pace(moment)
    on_cuda = any((rank.device or "").startswith("cuda") for rank in moment.run.ranks)
    if pace is None or not on_cuda or moment.actual("pin_memory") is not False or pace.batches < PIN_BATCHES:
        return
    load = moment.seen.load([key for key, _ in gpus_of(moment.run)], EVIDENCE_S)
    is_told = "pin-memory" in moment.told
    if not is_told and (pace.share < PIN_WAIT if load is None else load >= BUSY_LOAD):
        return
    batch = moment.whole("batch_size")
    yield Advice(
        id="pin-memory",
        severity="hint",
        title="pin_memory is off: the GPU waits while each batch is copied",
        cause=f"Batches{'' if batch is None else f' of {batch} samples'} are in pageable memory: the driver copies "
        "them twice, and the training process waits."
        + ("" if load is None else f" The GPUs are busy for {percent(load)} of the time."),
        suggestions=(Suggestion(text="Page-lock the batches." + _room(moment), changes={"pin_memory": True}),),
    )


def _room(moment: RuleInput) -> str:
    host = moment.run.host
    if host is None or host.memory_used is None or host.memory_total is None:
        return ""
    return f" Main memory has {size(max(0, host.memory_total - host.memory_used))} left."


GPU_RULES = (idle, throttled, pageable)
