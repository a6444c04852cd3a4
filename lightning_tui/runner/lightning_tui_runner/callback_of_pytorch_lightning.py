"""Our callback for `pytorch_lightning`; a module of its own, at whose top level a spawned process finds the class."""

from __future__ import annotations

from pytorch_lightning.callbacks import Callback

from .callback import TelemetryHooks


class LightningTuiTelemetry(TelemetryHooks, Callback):
    """Reports the training to lightning-tui and carries its commands out."""

    flavour = "pytorch_lightning"
