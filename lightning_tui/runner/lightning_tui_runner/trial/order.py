"""What is to be tried in the place of `fit`, and the voice that tells what comes of it."""

from __future__ import annotations

import json
import os
from typing import Any

from ..process.events import EventFile
from ..process.tracebacks import formatted, type_name

ORDER_FILE = "order.json"
EVENTS_NAME = "events"


class Order:
    """One order. It lies in a folder, and what comes of it is written beside it."""

    def __init__(self, folder: str) -> None:
        """Read the order.

        Raises:
            OSError, ValueError, KeyError: there is none that can be read, or its events cannot be written.
        """
        self.folder = folder
        with open(os.path.join(folder, ORDER_FILE), encoding="utf-8") as file:
            order = json.load(file)
        self.kind: str = order["kind"]
        self.plan: dict[str, Any] = order["plan"]
        self.options: dict[str, Any] = order["options"]
        self.flavour = ""
        self._file = EventFile(folder, EVENTS_NAME)
        self.is_on = False
        """Whether the program has come to its `fit`."""

    def say(self, event: str, **fields: object) -> None:
        self._file.add(event, fields)
        self._file.flush()

    def say_failure(self, error: BaseException) -> None:
        """Say that an exception left the program's code, or Lightning's."""
        self.say("failed", type=type_name(error), message=str(error), traceback=formatted(error), in_fit=self.is_on)
