"""Our callback for `lightning.pytorch`; a module of its own, at whose top level a spawned process finds the class."""

from __future__ import annotations

from lightning.pytorch.callbacks import Callback

from .callback import TelemetryHooks


class LightningTuiTelemetry(TelemetryHooks, Callback):
    """Reports the training to lightning-tui and carries its commands out."""

    flavour = "lightning.pytorch"
