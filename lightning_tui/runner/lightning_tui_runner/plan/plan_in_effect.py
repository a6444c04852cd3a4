"""What a plan changes once the Trainer is about to run: its checkpoints, its data loaders, its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import activation_checkpointing, compilation, data_loading, model_checkpoints, process_settings
from .finders import search_at_work
from .module_classes import commonest_classes
from .options import LOADER_ARGUMENTS, STOPPING_FIELD
from .strategies import recomputes_itself


class PlanInEffect:
    """One Trainer under a plan. What cannot be done is said, field by field, and the program goes on without it."""

    def __init__(self, plan: dict[str, Any], notes: dict[str, Any], say: Callable[[str], None]) -> None:
        """`notes` receives what the script itself says; `say` takes one sentence."""
        self._plan = plan
        self._notes = notes
        self._say = say
        self._recomputing: list[Any] = []
        self._is_compiled = False

    def begin(self, trainer: Any, module: Any, stage: str) -> None:
        """All callbacks are there; data and model are not set up yet."""
        self._change("checkpoint_*", self._change_checkpoints, trainer)
        self._change("data loading", self._change_loaders, trainer)
        self._change("sharing_strategy", self._share)
        self._change(STOPPING_FIELD, self._watch_for_stopping, trainer)
        if stage == "fit" and ("activation_checkpointing" in self._plan or "compile" in self._plan):
            self._before_the_strategy_sets_up(trainer.strategy, module)

    def leaves(self, module: Any) -> None:
        """Give the model back as the program made it, so that it pickles as before."""
        activation_checkpointing.give_back(self._recomputing)
        self._recomputing = []
        if self._is_compiled:
            compilation.uncompile(module)
            self._is_compiled = False

    def _change(self, what: str, change: Callable[..., None], *args: Any) -> None:
        try:
            change(*args)
        except Exception as error:  # noqa: BLE001  # one field that this version of Lightning cannot take is not worth a run
            self._say(f"{what}: not in effect: {type(error).__name__}: {error}")

    def _change_checkpoints(self, trainer: Any) -> None:
        asked = model_checkpoints.asked_of(self._plan)
        model_checkpoints.change_checkpoints(trainer, asked, self._say, self._notes)

    def _change_loaders(self, trainer: Any) -> None:
        settings = {name: self._plan[name] for name in LOADER_ARGUMENTS if name in self._plan}
        if "batch_size" in settings and search_at_work(trainer, "BatchSizeFinder") is not None:
            del settings["batch_size"]
            self._say("batch_size: left to auto_scale_batch_size")
        if settings:
            data_loading.LoaderSettings(trainer._data_connector, settings, self._say, self._notes).install()

    def _watch_for_stopping(self, trainer: Any) -> None:
        if STOPPING_FIELD not in self._plan:
            return
        stopping = model_checkpoints.early_stopping_of(trainer)
        if stopping is None:
            self._say(f"{STOPPING_FIELD}: not in effect, since the script has no EarlyStopping")
            return
        self._notes[STOPPING_FIELD] = stopping.monitor
        stopping.monitor = self._plan[STOPPING_FIELD]

    def _share(self) -> None:
        if "sharing_strategy" in self._plan:
            process_settings.share_tensors(self._plan["sharing_strategy"])

    def _before_the_strategy_sets_up(self, strategy: Any, module: Any) -> None:
        """Change the model when `configure_model` has made it and the strategy has not wrapped or moved it yet."""
        set_up = strategy.setup

        def change_and_set_up(trainer: Any) -> None:
            del strategy.setup
            self._change("activation_checkpointing", self._checkpoint_activations, strategy, module)
            self._change("compile", self._compile, module)
            set_up(trainer)

        strategy.setup = change_and_set_up

    def _checkpoint_activations(self, strategy: Any, module: Any) -> None:
        names = self._plan.get("activation_checkpointing")
        if not names or recomputes_itself(strategy, names):
            return
        self._recomputing = activation_checkpointing.checkpoint_activations(module, names)
        if not self._recomputing:
            known = ", ".join(commonest_classes(module))
            self._say(f"activation_checkpointing: the model has no module of {', '.join(names)}; it has {known}")

    def _compile(self, module: Any) -> None:
        mode = self._plan.get("compile")
        if mode is None:
            return
        if module._compiler_ctx is not None:
            self._say("compile: left to the program, which compiles its model itself")
            return
        self._is_compiled = True
        compilation.compile_model(module, mode)
