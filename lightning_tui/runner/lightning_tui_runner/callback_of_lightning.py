"""Our callbacks for `lightning.pytorch`; in a module of their own, where a spawned process finds them."""

from __future__ import annotations

from lightning.pytorch.callbacks import BatchSizeFinder, Callback, LearningRateFinder

from .callback import TelemetryHooks
from .plan.finders import SearchesBatchSize, SearchesLearningRate


class LightningTuiTelemetry(TelemetryHooks, Callback):
    """Reports the training to lightning-tui and carries its commands out."""

    flavour = "lightning.pytorch"


class BatchSizeSearch(SearchesBatchSize, BatchSizeFinder):
    """Lightning's finder under a plan."""


class LearningRateSearch(SearchesLearningRate, LearningRateFinder):
    """Lightning's finder under a plan."""
