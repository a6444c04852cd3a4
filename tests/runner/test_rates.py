"""A new learning rate stays where schedulers let it; what is said of a scheduler is what torch's own one does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lightning_tui.runner.lightning_tui_runner.steering.rates import NoGroupError, set_rates


@pytest.fixture(autouse=True)
def parts(imported_parts: Any) -> Any:
    """Torch, whose import changes the environment, which is taken back."""
    return imported_parts


def trainer_with(make: Any = None, *, second: bool = False) -> Any:
    """A Trainer's optimizers and schedulers, real ones: two groups of 0.1 and 0.2, and another optimizer."""
    import torch

    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(3)]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:2], "lr": 0.2}]
    optimizers = [torch.optim.SGD(groups, lr=0.1)]
    if second:
        optimizers.append(torch.optim.Adam(parameters[2:], lr=torch.tensor(0.5)))
    schedulers = [] if make is None else [make(torch.optim.lr_scheduler, optimizers[0])]
    configs = [SimpleNamespace(scheduler=scheduler) for scheduler in schedulers]
    return SimpleNamespace(optimizers=optimizers, lr_scheduler_configs=configs)


def rates(trainer: Any) -> list[float]:
    return [float(group["lr"]) for optimizer in trainer.optimizers for group in optimizer.param_groups]


def step(trainer: Any, times: int = 1) -> None:
    for _ in range(times):
        trainer.optimizers[0].step()
        for config in trainer.lr_scheduler_configs:
            config.scheduler.step()


def test_all_groups_or_one_over_all_optimizers() -> None:
    trainer = trainer_with(second=True)
    assert set_rates(trainer, 0.3, None) == "lr 0.1, 0.2, 0.5 -> 0.3 in 3 groups"
    assert rates(trainer) == pytest.approx([0.3, 0.3, 0.3])
    assert set_rates(trainer, 0.7, 2) == "lr 0.3 -> 0.7 in group 2"
    assert rates(trainer) == pytest.approx([0.3, 0.3, 0.7])
    assert hasattr(trainer.optimizers[1].param_groups[0]["lr"], "fill_"), "a tensor stays one"
    with pytest.raises(NoGroupError, match="no parameter group 3: the optimizers have groups 0 to 2"):
        set_rates(trainer, 1.0, 3)
    with pytest.raises(NoGroupError, match="no optimizer"):
        set_rates(SimpleNamespace(optimizers=[], lr_scheduler_configs=[]), 1.0, None)


@pytest.mark.parametrize(
    ("make", "said", "factor"),
    [
        (lambda s, o: s.StepLR(o, 2, gamma=0.5), "StepLR continues from it", 0.5),
        (lambda s, o: s.ExponentialLR(o, 0.9), "ExponentialLR continues from it", 0.81),
        (lambda s, o: s.LambdaLR(o, lambda n: 1 / (1 + n)), "LambdaLR scales all its values with it", 4 / 6),
        (lambda s, o: s.ReduceLROnPlateau(o), "ReduceLROnPlateau continues from it", None),
    ],
)
def test_a_scheduler_goes_on_from_the_new_rate(make: Any, said: str, factor: float | None) -> None:
    trainer = trainer_with(make)
    if factor is not None:
        step(trainer, 3)
    assert set_rates(trainer, 0.6, None).endswith(f"; {said}")
    assert rates(trainer) == pytest.approx([0.6, 0.6])
    scheduler = trainer.lr_scheduler_configs[0].scheduler
    assert scheduler.get_last_lr() == pytest.approx([0.6, 0.6])
    if factor is not None:
        step(trainer, 2)
        assert rates(trainer) == pytest.approx([0.6 * factor] * 2)


def test_a_one_cycle_sets_it_anew_and_that_is_said() -> None:
    trainer = trainer_with(lambda s, o: s.OneCycleLR(o, max_lr=0.4, total_steps=10))
    step(trainer)
    assert "OneCycleLR sets it again at its next step" in set_rates(trainer, 5.0, None)
    assert rates(trainer) == pytest.approx([5.0, 5.0])
    step(trainer)
    assert max(rates(trainer)) <= 0.4


def test_the_parts_of_a_sequence_learn_of_it_too() -> None:
    def make(s: Any, o: Any) -> Any:
        return s.SequentialLR(o, [s.ConstantLR(o, 0.5, total_iters=4), s.ExponentialLR(o, 0.5)], milestones=[4])

    trainer = trainer_with(make)
    step(trainer)
    said = set_rates(trainer, 0.8, None)
    assert said.endswith(
        "SequentialLR leaves it to the schedulers it consists of; ConstantLR continues from it; ExponentialLR "
        "continues from it"
    )
    step(trainer)
    assert rates(trainer) == pytest.approx([0.8, 0.8])
    unknown = trainer_with(lambda s, o: SimpleNamespace(optimizer=o))
    assert "SimpleNamespace may set it again at its next step" in set_rates(unknown, 0.8, None)
