"""The strategies that a plan makes or changes, as real objects; FSDP and DeepSpeed train on GPUs only."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_tui.runner.lightning_tui_runner.plan.activation_checkpointing import recomputed_classes
from lightning_tui.runner.lightning_tui_runner.plan.compilation import compile_model, compiled_mode, uncompile
from lightning_tui.runner.lightning_tui_runner.plan.strategies import options_of, planned_strategy, recomputes_itself
from lightning_tui.runner.lightning_tui_runner.plan.trainer_arguments import strategy_argument

said: list[str] = []


@pytest.fixture(autouse=True)
def parts(imported_parts: Any) -> Any:
    """Lightning's classes, and nothing said yet."""
    said.clear()
    return imported_parts


def planned(script: Any, **plan: Any) -> Any:
    return planned_strategy(script, plan, "lightning.pytorch", said.append)


# ------------------------------------------------------------------------------------------------------------------ DDP


@pytest.mark.parametrize(
    ("script", "plan", "passed"),
    [
        (None, {}, None),
        ("ddp", {}, "ddp"),
        ("ddp", {"strategy": "fsdp"}, "fsdp"),
        (None, {"strategy": "no such name"}, "no such name"),
        (None, {"strategy": "no such name", "ddp_static_graph": True}, "no such name"),
    ],
)
def test_a_name_is_enough_where_no_option_is_set(script: Any, plan: dict[str, Any], passed: Any) -> None:
    assert planned(script, **plan) == passed


@pytest.mark.parametrize(
    ("script", "name", "start_method"),
    [
        (None, None, "popen"),
        ("auto", None, "popen"),
        (None, "auto", "popen"),
        (None, "ddp", "popen"),
        ("ddp_spawn", None, "spawn"),
        ("fsdp", "ddp_notebook", "fork"),
    ],
)
def test_ddp_is_made_with_its_options(parts: Any, script: Any, name: str | None, start_method: str) -> None:
    options = {"ddp_static_graph": True, "ddp_bucket_cap_mb": 50, "ddp_find_unused_parameters": False}
    plan = {**options, "strategy": name} if name else options
    strategy = planned(script, **plan)
    assert type(strategy) is parts.DDPStrategy
    assert strategy._start_method == start_method
    assert strategy._ddp_kwargs == {"static_graph": True, "bucket_cap_mb": 50, "find_unused_parameters": False}
    assert options_of(strategy) == options
    assert not said


def test_what_a_name_stands_for_is_kept() -> None:
    strategy = planned(None, strategy="ddp_find_unused_parameters_true", ddp_bucket_cap_mb=1)
    assert strategy._ddp_kwargs == {"find_unused_parameters": True, "bucket_cap_mb": 1}


@pytest.mark.parametrize(
    "plan", [{"strategy": "ddp"}, {"strategy": "ddp", "ddp_static_graph": True}, {"ddp_static_graph": True}]
)
def test_the_scripts_own_object_stays_with_all_that_it_holds(parts: Any, plan: dict[str, Any]) -> None:
    script = parts.OwnDDP(find_unused_parameters=True, process_group_backend="gloo", start_method="popen")
    assert planned(script, **plan) is script
    assert script._ddp_kwargs["find_unused_parameters"]
    assert script._ddp_kwargs.get("static_graph", False) == ("ddp_static_graph" in plan)
    assert script._process_group_backend == "gloo"


def test_another_class_takes_the_place_of_the_scripts_object(parts: Any) -> None:
    script = parts.DDPStrategy(find_unused_parameters=True)
    assert planned(script, strategy="fsdp") == "fsdp"
    assert planned(script, strategy="model_parallel").__class__ is parts.ModelParallelStrategy


def test_options_of_another_strategy_are_said_to_be_idle(parts: Any) -> None:
    script = parts.SingleDeviceStrategy()
    assert planned(script, ddp_static_graph=True) is script
    assert planned("ddp", fsdp_cpu_offload=True, deepspeed_stage=2) == "ddp"
    assert planned(None, fsdp_cpu_offload=True) is None
    assert said == [
        "ddp_static_graph: not in effect, since the strategy is SingleDeviceStrategy",
        "fsdp_cpu_offload, deepspeed_stage: not in effect, since the strategy is DDPStrategy",
        "fsdp_cpu_offload: not in effect, since the strategy is auto",
    ]


def test_a_strategy_that_keeps_its_options_elsewhere_does_not_end_the_program(
    parts: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    script = parts.DDPStrategy(find_unused_parameters=True)
    del script._ddp_kwargs
    assert strategy_argument(script, {"ddp_static_graph": True}, "lightning.pytorch") is script
    assert "options of the strategy: not in effect: AttributeError" in capfd.readouterr().err


# ------------------------------------------------------------------------------------------------------- model parallel


def test_model_parallel_is_made_by_a_name_of_ours(parts: Any) -> None:
    plain = planned(None, strategy="model_parallel")
    assert (plain._data_parallel_size, plain._tensor_parallel_size) == ("auto", "auto")
    script = parts.ModelParallelStrategy(data_parallel_size=8, save_distributed_checkpoint=False)
    assert planned(script, data_parallel_size=2, tensor_parallel_size=4) is script
    assert options_of(script) == {"data_parallel_size": 2, "tensor_parallel_size": 4}
    assert not script._save_distributed_checkpoint


# ----------------------------------------------------------------------------------------------------------------- FSDP

FSDP_PLAN = {
    "fsdp_sharding_strategy": "SHARD_GRAD_OP",
    "fsdp_cpu_offload": True,
    "fsdp_limit_all_gathers": False,
    "fsdp_wrap_classes": ["Block"],
    "fsdp_wrap_min_params": 1000,
}


@pytest.mark.parametrize("own", [False, True])
def test_fsdp_with_its_options(parts: Any, own: bool) -> None:
    script = parts.FSDPStrategy(sharding_strategy="NO_SHARD", state_dict_type="sharded") if own else None
    strategy = planned(script, **({} if own else {"strategy": "fsdp"}), **FSDP_PLAN)
    assert (strategy is script) == own
    assert strategy.sharding_strategy.name == "SHARD_GRAD_OP"
    assert strategy.cpu_offload.offload_params
    assert strategy.kwargs["limit_all_gathers"] is False
    assert strategy.kwargs["use_orig_params"]
    assert options_of(strategy) == FSDP_PLAN
    assert strategy._state_dict_type == ("sharded" if own else "full")


def test_fsdp_wraps_by_the_name_of_a_class_and_by_size(parts: Any) -> None:
    policy = planned(None, strategy="fsdp", **FSDP_PLAN).kwargs["auto_wrap_policy"]
    small, large = parts.torch.nn.Linear(2, 2), parts.torch.nn.Linear(100, 100)
    assert policy(module=parts.Block(), recurse=False, nonwrapped_numel=72)
    assert policy(module=large, recurse=False, nonwrapped_numel=10100)
    assert not policy(module=small, recurse=False, nonwrapped_numel=6)
    by_class = planned(None, strategy="fsdp", fsdp_wrap_classes=["tests.runner.lightning_parts.Block"]).kwargs[
        "auto_wrap_policy"
    ]
    assert by_class(module=parts.Block(), recurse=False, nonwrapped_numel=1)
    assert not by_class(module=large, recurse=False, nonwrapped_numel=10100)


def test_hybrid_sharding_is_refused_in_lightnings_own_words_where_nothing_is_wrapped() -> None:
    with pytest.raises(RuntimeError, match="hybrid sharding strategy requires"):
        planned(None, strategy="fsdp", fsdp_sharding_strategy="HYBRID_SHARD")
    made = planned(None, strategy="fsdp", fsdp_sharding_strategy="HYBRID_SHARD", fsdp_wrap_classes=["Block"])
    assert made.sharding_strategy.name == "HYBRID_SHARD"


def test_fsdp_checkpoints_activations_itself(parts: Any) -> None:
    strategy = planned(None, strategy="fsdp", fsdp_cpu_offload=True)
    assert not recomputes_itself(parts.DDPStrategy(), ["Block"])
    assert recomputes_itself(strategy, ["Block"])
    model = parts.torch.nn.Sequential(parts.Block(), parts.torch.nn.Linear(8, 1), parts.Block())
    keys = list(model.state_dict())
    parts.checkpoint_as_fsdp(model, strategy._activation_checkpointing_kwargs)
    assert recomputed_classes(model) == ["Block"]
    assert type(model[1]) is parts.torch.nn.Linear
    assert list(model.state_dict()) == keys
    assert options_of(strategy).keys() == {"fsdp_sharding_strategy", "fsdp_cpu_offload"}


# ------------------------------------------------------------------------------------------------------------ DeepSpeed


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"strategy": "deepspeed", "deepspeed_stage": 3}, {"stage": 3}),
        (
            {"strategy": "deepspeed_stage_2", "deepspeed_offload_optimizer": True},
            {"stage": 2, "offload_optimizer": "cpu"},
        ),
        (
            {"strategy": "deepspeed_stage_3", "deepspeed_nvme_path": "/nvme"},
            {"stage": 3, "offload_optimizer": "nvme", "offload_param": "nvme", "remote": "nvme"},
        ),
        (
            {"strategy": "deepspeed_stage_2_offload", "deepspeed_nvme_path": "/nvme"},
            {"stage": 2, "offload_optimizer": "nvme"},
        ),
        (
            {"strategy": "deepspeed_stage_3_offload", "deepspeed_offload_parameters": False},
            {"stage": 3, "offload_optimizer": "cpu"},
        ),
    ],
)
@pytest.mark.parametrize("own", [False, True])
def test_deepspeed_with_its_options(plan: dict[str, Any], expected: dict[str, Any], own: bool) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: its strategy objects cannot be made")
    from lightning.pytorch.strategies import DeepSpeedStrategy

    script = DeepSpeedStrategy(stage=1, allgather_bucket_size=7) if own else None
    strategy = planned(script, **plan)
    zero = strategy.config["zero_optimization"]
    assert (strategy is script) == own
    assert zero["stage"] == expected["stage"]
    for section in ("offload_optimizer", "offload_param"):
        assert zero.get(section, {}).get("device") == expected.get(section)
    assert strategy.remote_device == expected.get("remote")
    assert options_of(strategy).get("deepspeed_nvme_path") == plan.get("deepspeed_nvme_path")
    assert options_of(strategy)["deepspeed_stage"] == expected["stage"]
    if own:
        assert zero["allgather_bucket_size"] == 7


# -------------------------------------------------------------------------------------------------------------- compile


@pytest.mark.parametrize("mode", ["default", "reduce-overhead", "max-autotune"])
def test_what_computes_is_compiled_in_place(parts: Any, mode: str) -> None:
    net = parts.Net()
    keys = list(net.state_dict())
    assert compiled_mode(net) is None
    compile_model(net, mode)
    assert compiled_mode(net) == mode
    assert all(block._compiled_call_impl is not None for block in net.blocks)
    assert net.metric._compiled_call_impl is None
    assert list(net.state_dict()) == keys
    uncompile(net)
    assert compiled_mode(net) is None
    assert "forward" not in vars(net)
