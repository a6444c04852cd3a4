"""What would this program train? It runs up to the first training step, on the CPU, and leaves there without a step.

What is found is written to the file that the environment names, first the facts, then one measurement after another,
so that whatever ends this process leaves what was known by then.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from types import ModuleType
from typing import Any, NoReturn

from ..plan.trainer_arguments import as_field
from ..process.import_hook import FLAVOURS, Patch, PatchingFinder
from ..process.joining import leave_now
from ..process.program import Program
from ..process.tracebacks import formatted, type_name
from .answer import Answer
from .quiet_trainer import silent_logger, skip_evaluation

FORWARD_VARIABLE = "LIGHTNING_TUI_PROBE_FORWARD"
"""Where the environment has it, real forward passes are made in any case."""

_HARMLESS: dict[str, Any] = {
    "accelerator": "cpu",
    "strategy": "auto",
    "precision": "32-true",
    "devices": 1,
    "num_nodes": 1,
    "plugins": None,
    "profiler": None,
    "barebones": False,
    "num_sanity_val_steps": 0,
}
"""With these every Trainer can be built on every machine, and takes no device."""

_TAIL_LINES = 30


def probe(program: Program, path: str, given: dict[str, object]) -> NoReturn:
    """Probe the program, and write what is found to the file `path`."""
    answer = Answer(path)
    probing = _Probe(answer, always_forward=FORWARD_VARIABLE in os.environ)
    probing.install()
    try:
        program.run(given)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the answer
        answer.fail(_why(error, f"before {probing.place}"))
    else:
        answer.fail(f"The program ended before {probing.place}.")
    leave_now()


class _Probe:
    """The program's Trainers, and how far it came."""

    def __init__(self, answer: Answer, *, always_forward: bool) -> None:
        self.answer = answer
        self.always_forward = always_forward
        self.is_fitting = False
        self._imported_lightning = False
        self._trainers = 0

    @property
    def place(self) -> str:
        """What the program has not come to, in words."""
        if self._trainers:
            return "it called Trainer.fit"
        return "it built a Trainer" if self._imported_lightning else "it imported Lightning"

    def install(self) -> None:
        """Wrap what the program will import."""
        patches: dict[str, Patch] = {"torch.utils.data.dataloader": self._tame_loaders}
        for flavour in FLAVOURS:
            patches[f"{flavour}.trainer.trainer"] = functools.partial(self._wrap_trainer, flavour=flavour)
        PatchingFinder(patches, lambda error: self.answer.fail(_why(error, "during its preparation"))).install()

    def _wrap_trainer(self, module: ModuleType, *, flavour: str) -> None:
        self._imported_lightning = True
        self._wrap_init(module.Trainer, flavour)
        self._wrap_fit(module.Trainer, flavour)
        skip_evaluation(module.Trainer)

    def _wrap_init(self, trainer_class: Any, flavour: str) -> None:
        original = trainer_class.__init__
        names = list(inspect.signature(original).parameters)[1:]

        @functools.wraps(original)
        def __init__(trainer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it becomes the class's own
            self._trainers += 1
            passed = {**dict(zip(names, args, strict=False)), **kwargs}
            trainer._lightning_tui_script = {name: as_field(v) for name, v in passed.items() if v is not None}
            harmless = {name: value for name, value in _HARMLESS.items() if name in names}
            logger = False if passed.get("logger") is False else silent_logger(flavour)
            original(trainer, **{**passed, **harmless, "logger": logger, "default_root_dir": self.answer.folder})

        trainer_class.__init__ = __init__

    def _wrap_fit(self, trainer_class: Any, flavour: str) -> None:
        original = trainer_class.fit
        signature = inspect.signature(original)

        @functools.wraps(original)
        def fit(trainer: Any, *args: Any, **kwargs: Any) -> NoReturn:
            try:
                bound = signature.bind(trainer, *args, **kwargs)
                bound.arguments.pop("ckpt_path", None)
                self._fit(trainer, functools.partial(original, *bound.args, **bound.kwargs), flavour)
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is the answer
                self.answer.fail(_why(error, "in Trainer.fit, before the first step"))
            leave_now()

        trainer_class.fit = fit

    def _fit(self, trainer: Any, fit: Any, flavour: str) -> None:
        """Let Lightning prepare the training as always, and take over where its first step would begin."""
        base = importlib.import_module(f"{flavour}.callbacks").Callback

        def on_train_batch_start(_: Any, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
            from .probe_facts import answer_about

            answer_about(self.answer, trainer, module, batch, flavour, always_forward=self.always_forward)
            leave_now()

        trainer.callbacks = [type("FirstStep", (base,), {"on_train_batch_start": on_train_batch_start})()]
        self.is_fitting = True
        fit()
        self.answer.fail("Trainer.fit ended without a step: check the data and the limits on epochs and batches.")

    def _tame_loaders(self, module: ModuleType) -> None:
        """In `fit`, load the one batch that is needed in this process, without pinning memory."""
        original = module.DataLoader._get_iterator

        @functools.wraps(original)
        def _get_iterator(loader: Any) -> Any:
            if self.is_fitting and not hasattr(loader, "_lightning_tui_facts"):
                loader._lightning_tui_facts = {n: getattr(loader, n) for n in ("num_workers", "pin_memory")}
                loader.num_workers, loader.timeout, loader.pin_memory = 0, 0, False
            return original(loader)

        module.DataLoader._get_iterator = _get_iterator


def _why(error: BaseException, when: str) -> str:
    """Return what happened in one line, and the end of the traceback below it."""
    if isinstance(error, SystemExit):
        said = f": {error.code}" if isinstance(error.code, str) else f" with exit code {error.code or 0}"
        return f"The program exited {when}{said}"
    tail = formatted(error).rstrip().splitlines()[-_TAIL_LINES:]
    return "\n".join([f"The program failed {when}: {type_name(error)}: {error}", *tail])
