"""Which environment variables does a plan give to its program? A port that shall be free is chosen now."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

FREE = "free"
_PORT = "MASTER_PORT"


def planned_variables(plan: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the plan's `env`, by name."""
    given = dict(str(each).partition("=")[::2] for each in plan.get("env") or ())
    return {**given, _PORT: str(free_port())} if given.get(_PORT) == FREE else given


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
