"""Plans by name: as the guide for Lightning's machines has them, and one for the machine at hand."""

from __future__ import annotations

import pytest

from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.model import PlanError, plan_from_mapping
from lightning_tui.plan.presets import PRESETS, RECOMMENDED, preset
from lightning_tui.plan.recommended import recommend
from tests.plan.machines import machine


def test_presets_are_plans_that_would_be_accepted_from_a_file() -> None:
    for name, plan in PRESETS.items():
        assert plan_from_mapping(plan.changes()) == plan == preset(name)


def test_the_presets_of_lightnings_machines() -> None:
    assert preset("lightning_cloud").changes() == {
        "accelerator": "gpu",
        "strategy": "ddp_notebook",
        "precision": "16-mixed",
        "devices": "auto",
        "max_epochs": 100,
        "enable_checkpointing": True,
    }
    assert preset("lightning_compute").changes() == {
        "accelerator": "gpu",
        "strategy": "ddp",
        "precision": "bf16-mixed",
        "devices": -1,
        "max_epochs": 1000,
        "enable_checkpointing": True,
    }


def test_the_recommended_preset_is_worked_out_for_the_machine() -> None:
    environment = machine(4)
    assert preset(RECOMMENDED, environment) == recommend(machine_facts(environment), environment).plan
    with pytest.raises(PlanError, match="depends on the machine"):
        preset(RECOMMENDED)


def test_an_unknown_preset_offers_the_nearest() -> None:
    with pytest.raises(PlanError, match=r"Did you mean lightning_cloud\?.*recommended, lightning_cloud"):
        preset("lightning_clod")
