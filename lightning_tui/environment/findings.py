"""What is wrong with this machine, or worth knowing before a training starts? Every rule applied, the worst first."""

from __future__ import annotations

from lightning_tui.environment.model import Environment, Finding
from lightning_tui.environment.rules import cluster, gpus, host, software, storage

SEVERITIES = ("error", "warning", "info")
GLYPHS = {"error": "✖", "warning": "▲", "info": "·"}
"""Each severity's own glyph."""

RULES = (*software.RULES, *cluster.RULES, *storage.RULES, *gpus.RULES, *host.RULES)


def find_problems(environment: Environment) -> tuple[Finding, ...]:
    """Apply every rule; the worst first."""
    found = [finding for rule in RULES for finding in rule(environment)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
