"""What is known of a program so far, in a file: whatever ends this process leaves it there."""

from __future__ import annotations

import json
import os
from typing import Any


class Answer:
    """What is known so far, as a file that is always whole."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self.facts: dict[str, Any] = {}

    def add(self, **facts: Any) -> None:
        self.facts.update(facts)
        draft = self.path + ".draft"
        with open(draft, "w", encoding="utf-8", errors="backslashreplace") as file:
            json.dump(self.facts, file)
        os.replace(draft, self.path)

    def fail(self, error: str) -> None:
        self.add(error=error)
