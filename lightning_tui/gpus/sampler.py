"""The GPUs' newest reading, at hand at any moment, whatever the driver does.

One thread asks the driver once a second for as long as somebody asks for readings. A call that hangs holds up nobody
but that thread: the last readings stay, marked with their age, and the GPU whose call hangs is named.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

import msgspec

from lightning_tui.gpus.reader import GpuReader, Question
from lightning_tui.record.samples import GpuSample

PERIOD_S = 1.0

STALE_S = 2.0
"""A reading that is older, or a call that takes longer, means that the driver has stopped to answer."""

IDLE_S = 4.0
"""The thread ends when nobody has asked for so long, and begins again with the next question."""

_POLL_S = 0.02


class GpuReading(msgspec.Struct, frozen=True):
    """What the GPUs said."""

    gpus: tuple[GpuSample, ...] = ()
    missing: str | None = None
    """Why there are no readings, in words."""


class _TimedReading(msgspec.Struct, frozen=True):
    """One look at all GPUs: when it began and when it was over, on the monotonic clock."""

    began: float
    ended: float
    reading: GpuReading


class GpuSampler:
    """Reads the GPUs in a thread of its own. `latest` and `refresh` wait no longer than they are told."""

    def __init__(self, reader: Callable[[], GpuReader] = GpuReader) -> None:
        """Start nothing yet; `reader` makes the reader, in the thread."""
        self.ours: Collection[int] = frozenset()
        """Pids of the run's processes, for the thread to mark."""
        self._make_reader = reader
        self._reader: GpuReader | None = None
        self._look: _TimedReading | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._is_stopped = False
        self._is_thorough = False
        self._asked_at = self._born = time.monotonic()

    def latest(self, patience_s: float = 0.0) -> GpuReading:
        """Return the newest reading; before the first one, wait for it up to `patience_s` seconds."""
        self._demand()
        self._wait(lambda: self._look is not None, patience_s)
        return self._aged(time.monotonic())

    def refresh(self, patience_s: float) -> GpuReading:
        """Look again, at everything, and return that; where the driver does not play along, the newest reading."""
        asked = time.monotonic()
        self._is_thorough = True
        self._demand()
        self._wake.set()
        self._wait(lambda: self._look is not None and self._look.began >= asked, patience_s)
        return self._aged(time.monotonic())

    def stop(self, patience_s: float = 0.0) -> None:
        """End the thread; one that hangs in the driver is left behind after `patience_s` seconds."""
        self._is_stopped = True
        self._wake.set()
        thread = self._thread  # the thread itself takes this away at its end
        if thread is not None:
            thread.join(patience_s)

    def _aged(self, now: float) -> GpuReading:
        look = self._look
        if look is None:
            return GpuReading(missing=_silence(now - self._born))
        if now - look.ended <= STALE_S or self._gave_up():
            return look.reading
        hanging = self._reader.asking if self._reader is not None else None
        gpus = tuple(_mark_stale(gpu, now, now - look.ended, hanging) for gpu in look.reading.gpus)
        return GpuReading(gpus, look.reading.missing if gpus else _silence(now - look.ended))

    def _gave_up(self) -> bool:
        """Whether there will be no other reading: no driver, or the thread broke."""
        return self._is_stopped or (self._reader is not None and self._reader.gives_up)

    def _wait(self, is_there: Callable[[], bool], patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while not is_there() and not self._is_over() and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _is_over(self) -> bool:
        """Whether the last reading of all is there."""
        return self._is_stopped or (self._look is not None and self._gave_up())

    def _demand(self) -> None:
        """Note that readings are wanted, and have a thread that makes them."""
        with self._lock:
            self._asked_at = time.monotonic()
            if self._thread is None and not self._gave_up():
                self._look, self._born = None, self._asked_at  # what was read before the pause is not stale, but gone
                self._thread = threading.Thread(target=self._run, name="GPU sampler", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            is_wanted = True
            while is_wanted:
                due = time.monotonic() + PERIOD_S
                self._read()
                self._rest(due)
                is_wanted = self._is_wanted()
        except Exception as error:  # noqa: BLE001 a driver's library may do anything; whoever asks goes on
            now = time.monotonic()
            self._look = _TimedReading(now, now, GpuReading(missing=f"GPU readings failed: {error!r}"))
            self._is_stopped = True

    def _is_wanted(self) -> bool:
        """Whether to read on; where not, the thread is as good as gone."""
        with self._lock:
            is_wanted = not self._gave_up() and time.monotonic() - self._asked_at < IDLE_S
            if not is_wanted:
                self._thread = None
            return is_wanted

    def _read(self) -> None:
        began = time.monotonic()
        self._reader = self._reader or self._make_reader()
        is_thorough, self._is_thorough = self._is_thorough, False
        gpus = self._reader.read(self.ours, is_thorough=is_thorough)
        self._look = _TimedReading(began, time.monotonic(), GpuReading(gpus, self._reader.missing))

    def _rest(self, until: float) -> None:
        if not self._gave_up():
            self._wake.wait(until - time.monotonic())
            self._wake.clear()


def _mark_stale(gpu: GpuSample, now: float, age_s: float, hanging: Question | None) -> GpuSample:
    hangs = hanging is not None and (hanging.gpu, hanging.mig) == (gpu.index, gpu.mig)
    silent_s = now - hanging.since if hanging is not None and hangs else 0.0
    error = _silence(silent_s) if silent_s > STALE_S else gpu.error
    return msgspec.structs.replace(gpu, stale_s=round(age_s, 1), error=error)


def _silence(seconds: float) -> str:
    if seconds < STALE_S:
        return "the NVIDIA driver has not answered yet"
    return f"the NVIDIA driver has not answered for {seconds:.0f} s"
