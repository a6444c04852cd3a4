"""A plan as text: a command, Python code, a config of LightningCLI. Pure; to mask secrets is the caller's part.

What the code and the config build is what a run builds under the same plan, for a script that sets none of it itself.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.plan.fields import FLAGS
from lightning_tui.plan.model import Plan
from lightning_tui.runner.lightning_tui_runner.plan.options import (
    CHECKPOINT_ARGUMENTS,
    FINDERS,
    LOADER_ARGUMENTS,
    MODEL_PARALLEL,
    STRATEGIES,
    STRATEGY_ARGUMENTS,
    STRATEGY_OPTIONS,
    TORCH_ARGUMENTS,
    TRAINER_ARGUMENTS,
    checkpoint_settings,
    meant_strategy,
    strategy_arguments,
)

FLAVOURS = ("lightning.pytorch", "pytorch_lightning")


def as_command(program_words: Sequence[str], plan: Plan, python: Path | None = None) -> str:
    """Write the command line that runs the program under the plan with us, quoted for a shell."""
    words = ["lightning-tui", "run", *(["--python", str(python)] if python is not None else [])]
    for name, value in plan.changes().items():
        text = _typed(value)
        if name not in FLAGS:
            words += ["--set", f"{name}={text}"]
        elif text.startswith("-"):
            words.append(f"--{name.replace('_', '-')}={text}")
        else:
            words += [f"--{name.replace('_', '-')}", text]
    return shlex.join([*words, "--", *program_words])


def as_plain_command(program_words: Sequence[str], python: str = "python") -> str:
    """Write the command line that runs the program without us and so without the plan, quoted for a shell."""
    words = list(program_words)
    first = words[0] if words else ""
    if first == "demo":
        words = [python, "-m", "lightning_tui.demo.train", *words[1:]]
    elif first.startswith("--config"):
        words = [python, "-c", "from lightning.pytorch.cli import LightningCLI; LightningCLI()", "fit", *words]
    elif first == "-m" or first.endswith(".py"):
        words = [python, *words]
    return shlex.join(words)


def as_python(plan: Plan, flavour: str = "lightning.pytorch") -> str:
    """Write Python code that makes the plan's Trainer; what is no argument of it stands below as comments."""
    arguments = _trainer_arguments(plan)
    strategy, callbacks = _strategy(plan), _callbacks(plan)
    if strategy is not None:
        arguments["strategy"] = strategy
    if callbacks:
        arguments["callbacks"] = callbacks
    made = [*callbacks, *([strategy] if isinstance(strategy, _Object) else [])]
    lines = [*_imports(made, flavour), "", *_policy_lines(strategy), _call("trainer = Trainer", arguments)]
    notes = [f"# {note}" for note in _python_notes(plan)]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def as_yaml(plan: Plan, flavour: str = "lightning.pytorch") -> str:
    """Write the `trainer:` section of a LightningCLI config, for `fit --config FILE`."""
    section = _trainer_arguments(plan)
    strategy, callbacks = _strategy(plan), _callbacks(plan)
    if isinstance(strategy, _Object):
        section["strategy"] = strategy.config(flavour)
    elif strategy is not None:
        section["strategy"] = strategy
    if callbacks:
        section["callbacks"] = [callback.config(flavour) for callback in callbacks]
    top: dict[str, Any] = {"trainer": section} if section else {}
    if plan.ckpt_path is not None:
        top["ckpt_path"] = None if plan.ckpt_path == "none" else plan.ckpt_path
    if plan.weights_only is not None:
        top["weights_only"] = plan.weights_only
    notes = [f"# {note}" for note in _yaml_notes(plan, strategy)]
    return "\n".join([*notes, *(_yaml(top) if top else ["trainer: {}"]), ""])


def _typed(value: Any) -> str:
    """Write a value as a person types it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value)) + ("," if len(value) == 1 and isinstance(value[0], int) else "")
    return str(value)


def _trainer_arguments(plan: Plan) -> dict[str, Any]:
    return _set(plan, [name for name in TRAINER_ARGUMENTS if name != "strategy"])


def _set(plan: Plan, fields: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in fields if (value := getattr(plan, name)) is not None}


# -------------------------------------------------------------------------------------------- strategies and callbacks


class _Policy(msgspec.Struct, frozen=True):
    """Which modules FSDP wraps: Python alone can say that."""

    classes: list[str] | None = None
    min_params: int | None = None

    def code(self) -> str:
        parts = []
        if self.classes:
            parts.append(f"of_classes({', '.join(map(_code, self.classes))})")
        if self.min_params is not None:
            parts.append(f"functools.partial(size_based_auto_wrap_policy, min_num_params={self.min_params})")
        return parts[0] if len(parts) == 1 else f"functools.partial(_or_policy, policies=[{', '.join(parts)}])"


class _Object(msgspec.Struct, frozen=True):
    """An object that the Trainer is given: its class, and how it is made."""

    module: str
    """`strategies` or `callbacks`."""
    name: str
    arguments: dict[str, Any]

    def code(self) -> str:
        return _call(self.name, self.arguments)

    def config(self, flavour: str) -> dict[str, Any]:
        plain = {name: value for name, value in self.arguments.items() if not isinstance(value, _Policy)}
        own = {name: value for name, value in plain.items() if name not in TORCH_ARGUMENTS}
        passed_on = {name: value for name, value in plain.items() if name in TORCH_ARGUMENTS}
        config: dict[str, Any] = {"class_path": f"{flavour}.{self.module}.{self.name}"}
        if own:
            config["init_args"] = own
        if passed_on:
            config["dict_kwargs"] = passed_on
        return config


def _strategy(plan: Plan) -> str | _Object | None:
    """The strategy as a name where that says all, else as an object."""
    changes = plan.changes()
    class_name, named = _class_and_named(plan)
    recomputes = class_name == "FSDPStrategy" and plan.activation_checkpointing is not None
    has_options = not changes.keys().isdisjoint(STRATEGY_ARGUMENTS.get(class_name, ()))
    if not (has_options or recomputes or plan.strategy == MODEL_PARALLEL):
        return plan.strategy
    arguments = strategy_arguments(class_name, named, changes, _Policy)
    if recomputes:
        arguments["activation_checkpointing_policy"] = _Policy(plan.activation_checkpointing)
    return _Object("strategies", class_name, arguments)


def _class_and_named(plan: Plan) -> tuple[str, dict[str, Any]]:
    return STRATEGIES.get(meant_strategy(plan.strategy or "auto", plan.changes()), ("", {}))


def _callbacks(plan: Plan) -> list[_Object]:
    found = []
    asked = _set(plan, CHECKPOINT_ARGUMENTS)
    if asked and plan.enable_checkpointing is not False:
        arguments = {CHECKPOINT_ARGUMENTS[name]: value for name, value in checkpoint_settings(asked).items()}
        found.append(_Object("callbacks", "ModelCheckpoint", arguments))
    if plan.auto_scale_batch_size is not None:
        mode = {"mode": plan.auto_scale_batch_size}
        found.append(_Object("callbacks", FINDERS["auto_scale_batch_size"], mode))
    if plan.auto_lr_find:
        found.append(_Object("callbacks", FINDERS["auto_lr_find"], {}))
    return found


# -------------------------------------------------------------------------------------------------------------- Python


def _imports(made: list[_Object], flavour: str) -> Iterator[str]:
    policies = [value for item in made for value in item.arguments.values() if isinstance(value, _Policy)]
    by_size = any(policy.min_params is not None for policy in policies)
    if by_size:
        yield from ("import functools", "")
    yield f"from {flavour} import Trainer"
    for module in ("callbacks", "strategies"):
        names = [item.name for item in made if item.module == module]
        if names:
            yield f"from {flavour}.{module} import {', '.join(sorted(names))}"
    if by_size:
        both = any(policy.classes and policy.min_params is not None for policy in policies)
        yield f"from torch.distributed.fsdp.wrap import {'_or_policy, ' if both else ''}size_based_auto_wrap_policy"


def _policy_lines(strategy: str | _Object | None) -> Iterator[str]:
    arguments = strategy.arguments if isinstance(strategy, _Object) else {}
    if any(isinstance(value, _Policy) and value.classes for value in arguments.values()):
        yield from _OF_CLASSES


_OF_CLASSES = '''
def of_classes(*names):
    """A wrap policy for the modules of these classes, and of classes derived from them."""

    def policy(module, recurse, nonwrapped_numel):
        bases = type(module).__mro__
        return recurse or any({base.__name__, f"{base.__module__}.{base.__qualname__}"} & {*names} for base in bases)

    return policy


'''.splitlines()


def _call(what: str, arguments: Mapping[str, Any]) -> str:
    """Write a call, each argument on a line of its own where they are many."""
    given = [f"{name}={_code(value)}" for name, value in arguments.items()]
    if len(given) < 2 and not any("\n" in argument for argument in given):
        return f"{what}({', '.join(given)})"
    return f"{what}({_block(given)})"


def _code(value: Any) -> str:
    """Write a value as Python code, with the quotes that formatters like."""
    if isinstance(value, _Object | _Policy):
        return value.code()
    if isinstance(value, list) and any(isinstance(item, _Object) for item in value):
        return f"[{_block([_code(item) for item in value])}]"
    if isinstance(value, list):
        return f"[{', '.join(map(_code, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _block(items: Sequence[str]) -> str:
    return "\n" + "".join(f"{textwrap.indent(item, '    ')},\n" for item in items)


def _python_notes(plan: Plan) -> Iterator[str]:
    yield from _idle(plan)
    loader = _set(plan, LOADER_ARGUMENTS)
    if loader:
        yield "Data loading is not an argument of the Trainer. Where the program creates its DataLoaders:"
        yield f"    DataLoader(..., {', '.join(f'{name}={_code(value)}' for name, value in loader.items())})"
    if plan.activation_checkpointing and _class_and_named(plan)[0] != "FSDPStrategy":
        yield "Activation checkpointing, before trainer.fit(model):"
        yield "    import functools"
        yield "    from torch.utils.checkpoint import checkpoint"
        yield "    for module in model.modules():"
        yield f"        if type(module).__name__ in {_code(_last_names(plan.activation_checkpointing))}:"
        yield "            module.forward = functools.partial(checkpoint, module.forward, use_reentrant=False)"
    if plan.compile is not None:
        yield "Compilation, before trainer.fit(model):"
        yield f"    model = torch.compile(model, mode={_code(plan.compile)})"
    if plan.auto_scale_batch_size is not None or plan.auto_lr_find:
        yield "The finders set the attributes batch_size and lr (or learning_rate) of the model or its data module."
    if plan.ckpt_path == "none":
        yield "To begin anew: trainer.fit(model), without ckpt_path"
    elif plan.ckpt_path is not None:
        yield f"To resume from a checkpoint: trainer.fit(model, ckpt_path={_code(plan.ckpt_path)})"
    if plan.weights_only is not None:
        yield f"To read checkpoints: trainer.fit(..., weights_only={plan.weights_only})"
    if plan.early_stopping_monitor is not None:
        yield f"Where the program makes it: EarlyStopping(monitor={_code(plan.early_stopping_monitor)}, ...)"
    if plan.sharing_strategy is not None:
        yield f"At the start: torch.multiprocessing.set_sharing_strategy({_code(plan.sharing_strategy)})"
    yield from _variables(plan)


def _variables(plan: Plan) -> Iterator[str]:
    if plan.env:
        yield f"Before Python starts: export {shlex.join(plan.env)}"


def _idle(plan: Plan) -> Iterator[str]:
    used = STRATEGY_ARGUMENTS.get(_class_and_named(plan)[0], {})
    idle = ", ".join(name for name in _set(plan, STRATEGY_OPTIONS) if name not in used)
    if idle:
        yield f"{idle}: left out, since the strategy is {plan.strategy or 'auto'}"


def _last_names(names: list[str]) -> list[str]:
    return [name.rpartition(".")[2] for name in names]


# ---------------------------------------------------------------------------------------------------------------- YAML


def _yaml_notes(plan: Plan, strategy: str | _Object | None) -> Iterator[str]:
    yield from _idle(plan)
    loader = _set(plan, LOADER_ARGUMENTS)
    if loader:
        yield "Data loading is not an argument of the Trainer; pass it to your data module:"
        yield f"    {', '.join(f'{name}: {json.dumps(value)}' for name, value in loader.items())}"
    if isinstance(strategy, _Object):
        for name, value in strategy.arguments.items():
            if isinstance(value, _Policy):
                yield f"A config cannot express {name}: export the plan as Python."
    if plan.activation_checkpointing and _class_and_named(plan)[0] != "FSDPStrategy":
        yield f"A config cannot express activation_checkpointing: {', '.join(plan.activation_checkpointing)}"
    if plan.compile is not None:
        yield f"A config cannot express compile: {plan.compile}"
    if plan.early_stopping_monitor is not None:
        yield f"EarlyStopping stands in your own config; there: monitor: {json.dumps(plan.early_stopping_monitor)}"
    if plan.sharing_strategy is not None:
        yield f"No config can say sharing_strategy: {plan.sharing_strategy}"
    yield from _variables(plan)


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Write mappings and lists of mappings as blocks; all else is JSON, which is YAML too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if _is_block(inner):
                yield f"{indent}{name}:"
                yield from _yaml(inner, indent + "  ")
            else:
                yield f"{indent}{name}: {_yaml_scalar(inner)}"
        return
    for item in value:
        first, *rest = _yaml(item, indent + "  ")
        yield f"{indent}- {first.lstrip()}"
        yield from rest


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))


def _yaml_scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")  # YAML 1.1 takes 1e-05 for text
    return text
