"""Keep secrets out of what is written: command lines are masked before they reach a file or the screen."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "•••"

_SECRET_NAME = re.compile(
    r"(?:^|[-_.+])(?:api[-_]?key|token|secret|passwd|password|credentials?|auth|access[-_]?key)$", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"^(?:hf_|sk-|ghp_|github_pat_|glpat-|xox[abp]-|AKIA|wandb_v1_)[A-Za-z0-9_\-]{8,}")


def mask_secrets(arguments: Iterable[str]) -> list[str]:
    """Return the arguments with the values of secret-looking options, and secret-looking values, replaced by a mask.

    Knows `--api-key VALUE`, `--api-key=VALUE`, Hydra's `logger.api_key=VALUE`, and well-known token prefixes.
    """
    masked: list[str] = []
    secret_follows = False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        is_secret = bool(_SECRET_NAME.search(name.lstrip("-")))
        if secret_follows or _SECRET_VALUE.match(argument):
            masked.append(MASK)
        elif equals and (is_secret or _SECRET_VALUE.match(value)):
            masked.append(f"{name}={MASK}")
        else:
            masked.append(argument)
        secret_follows = is_secret and not equals and argument.startswith("-") and not secret_follows
    return masked
