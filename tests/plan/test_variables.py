"""Which environment variables may stand in a plan, and which does a program get?"""

import pytest

from lightning_tui.launch.variables import planned_variables
from lightning_tui.plan.model import PlanError, parse_value, plan_from_mapping


def test_variables_are_read_with_commas_in_their_values() -> None:
    typed = "OMP_NUM_THREADS=4,PYTORCH_ALLOC_CONF=a:True,b:2, MASTER_PORT=free"
    assert parse_value("env", typed) == ["OMP_NUM_THREADS=4", "PYTORCH_ALLOC_CONF=a:True,b:2", "MASTER_PORT=free"]


@pytest.mark.parametrize("word", ["WANDB_API_KEY=1", "X=hf_abcdefgh1", "LIGHTNING_TUI_HOME=/", "A", "1A=2", "A=1\n"])
def test_secrets_and_our_own_are_refused(word: str) -> None:
    with pytest.raises(PlanError):
        plan_from_mapping({"env": [word]})


def test_a_free_port_is_chosen() -> None:
    given = planned_variables({"env": ["MASTER_PORT=free", "A=1=2"]})
    assert 0 < int(given["MASTER_PORT"]) < 65536
    assert given["A"] == "1=2"
