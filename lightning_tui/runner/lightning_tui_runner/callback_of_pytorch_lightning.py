"""Our callbacks for `pytorch_lightning`; in a module of their own, where a spawned process finds them."""

from __future__ import annotations

from pytorch_lightning.callbacks import BatchSizeFinder, Callback, LearningRateFinder

from .callback import TelemetryHooks
from .plan.finders import SearchesBatchSize, SearchesLearningRate


class LightningTuiTelemetry(TelemetryHooks, Callback):
    """Reports the training to lightning-tui and carries its commands out."""

    flavour = "pytorch_lightning"


class BatchSizeSearch(SearchesBatchSize, BatchSizeFinder):
    """Lightning's finder under a plan."""


class LearningRateSearch(SearchesLearningRate, LearningRateFinder):
    """Lightning's finder under a plan."""
