"""Which fields of its plan had no effect in a run? No Trainer was there to take them, or it had other values."""

from __future__ import annotations

from lightning_tui.record.snapshot import RunSnapshot

_COUNTED = ("max_epochs", "max_steps", "accumulate_grad_batches", "batch_size", "num_workers")
"""Numbers that the Trainer keeps as they were given: another one is another setting (`fast_dev_run` wins)."""
_WITHOUT_TRAINER = frozenset({"env"})
"""What a program takes that has no Trainer."""


def plan_without_effect(run: RunSnapshot) -> tuple[str, ...]:
    """Names of the fields; of a run that is not over yet, only what its Trainer has told already."""
    plan = run.record.plan
    if run.trainer is None:
        return tuple(name for name in plan if name not in _WITHOUT_TRAINER) if run.is_over else ()
    fields = run.trainer.fields
    taken = ((name, fields[name].actual) for name in _COUNTED if name in plan and name in fields)
    return tuple(name for name, actual in taken if actual is not None and actual != plan[name])


def without_effect_sentence(run: RunSnapshot) -> str | None:
    """The same in words; `None` where all was in effect."""
    names = plan_without_effect(run)
    if not names:
        return None
    why = (
        "no Trainer was seen in the program" if run.trainer is None else "the Trainer has other values (fast_dev_run?)"
    )
    return f"{', '.join(names)}: without effect, since {why}"
