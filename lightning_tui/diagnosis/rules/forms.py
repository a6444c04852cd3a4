"""Short forms in which the rules write their signs and advice."""

from __future__ import annotations

from typing import Any

from lightning_tui.diagnosis.model import Sign, SuggestionTemplate

TORCH_DOCS = "https://docs.pytorch.org/docs/stable"
LIGHTNING_DOCS = "https://lightning.ai/docs/pytorch/stable"
HUB_DOCS = "https://huggingface.co/docs/huggingface_hub"
SLURM_DOCS = "https://slurm.schedmd.com"


def raised(*has: str, **conditions: Any) -> Sign:
    """An exception whose type and message hold all of these."""
    return Sign(has=has, where="exception", **conditions)


def printed(*has: str, **conditions: Any) -> Sign:
    """A line outside of tracebacks that holds all of these."""
    return Sign(has=has, where="line", **conditions)


def anywhere(*has: str, **conditions: Any) -> Sign:
    """An exception or a line that holds all of these."""
    return Sign(has=has, where="any", **conditions)


def do(text: str, **more: Any) -> SuggestionTemplate:
    """A suggestion; `more` are plan changes, or `computed`, `in_code`, `trust`."""
    own = {name: more.pop(name) for name in ("computed", "in_code", "trust") if name in more}
    return SuggestionTemplate(text=text, changes=more or None, **own)
