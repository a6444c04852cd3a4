"""How much memory does a training step need? One is taken on fake tensors, which have a shape and no data.

Torch is imported here, so this module is itself imported late: in the child of a probe, when the facts are known.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

PRECISIONS = ("32-true", "bf16-mixed")


class Subject:
    """What is measured: a model in training, its optimizers, and a batch as its `training_step` gets it."""

    def __init__(
        self,
        module: Any,
        optimizers: list[Any],
        batch: Any,
        batch_size: int | None,
        clip: float | None,
        autocast: Callable[[], Any],
    ) -> None:
        self.module = module
        self.optimizers = optimizers
        self.batch = batch
        self.batch_size = batch_size
        """Samples: the first dimension of the batch's tensors. `None` where they have none in common."""
        self.clip = clip
        """The norm to which gradients are clipped."""
        self.autocast = autocast
        """Makes the context in which Lightning computes under `bf16-mixed`."""


def measure(
    subject: Subject, precision: str, batch_size: int | None, checkpointed: Iterable[Any] = ()
) -> dict[str, Any]:
    """Take two training steps on fake tensors and return the bytes at the peak of the second, by category.

    `batch_size` replaces the batch's own; the forward passes of the modules `checkpointed` are done again in backward.

    Raises:
        Exception: the model's code cannot run on tensors without data, or fails by itself.
    """
    wrapped = list(checkpointed)
    with _faking(subject), _checkpointing(wrapped):
        batch = resized(subject.batch, subject.batch_size, batch_size)
        found = _second_step(subject, batch, precision)
    return {
        "precision": precision,
        "batch_size": batch_size,
        "activation_checkpointing": bool(wrapped),
        **found,
    }


def optimizer_state(subject: Subject) -> int:
    """Bytes of state that the optimizers keep once they have taken a step; the model's own code takes no part.

    Raises:
        Exception: an optimizer cannot step on tensors without data.
    """
    with _faking(subject):
        for optimizer in subject.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None
            optimizer.step()
        return sum(t.untyped_storage().nbytes() for t in _optimizer_tensors(subject.optimizers))


def saved_by_forward(subject: Subject, precision: str, batch_size: int | None) -> int:
    """Run a real forward pass and return the bytes that autograd keeps for backward, parameters and buffers left out.

    Raises:
        Exception: whatever the model's code raises.
    """
    batch = resized(subject.batch, subject.batch_size, batch_size)
    state = {t.untyped_storage().data_ptr() for t in _state_of(subject.module)}
    kept: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in state:
            kept[memory.data_ptr()] = memory.nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with _without_onednn(), _quiet(subject.module), torch.enable_grad(), hooks, _precision(subject, precision):
        loss = _loss_of(subject.module.training_step(batch, 0))  # held, for all that it saved goes with it
    saved = sum(kept.values())
    del loss
    return saved


def resized(batch: Any, old: int | None, new: int | None) -> Any:
    """The batch with another number of samples: its tensors of `old` samples are cut, or repeated as shapes."""
    if new is None or old is None:
        return _map(batch, _like) if _is_faking() else batch

    def with_samples(tensor: Any) -> Any:
        has_samples = tensor.dim() > 0 and tensor.shape[0] == old
        if _is_faking():
            return _like(tensor, (new, *tensor.shape[1:]) if has_samples else None)
        return tensor[:new] if has_samples else tensor

    return _map(batch, with_samples)


def batch_size_of(batch: Any) -> int | None:
    """The first dimension that all tensors of a batch which have dimensions share; `None` where they differ."""
    sizes: set[int] = set()
    _map(batch, lambda tensor: sizes.update(tensor.shape[:1]))
    return sizes.pop() if len(sizes) == 1 else None


def _map(batch: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to the tensors of a batch, with Lightning's own idea of what a collection is."""
    apply = importlib.import_module("lightning_utilities.core.apply_func").apply_to_collection
    return apply(batch, torch.Tensor, function)


# --- The step ---------------------------------------------------------------------------------------------------------


def _second_step(subject: Subject, batch: Any, precision: str) -> dict[str, Any]:
    """The first step makes the optimizer's state, the second finds it there, with the gradients of the first."""
    with Lifetimes() as lifetimes, _quiet(subject.module):
        lifetimes.see_all(_state_of(subject.module))
        _map(batch, lifetimes.see)
        _step(subject, batch, precision, lifetimes)
        return _step(subject, batch, precision, lifetimes)


def _step(subject: Subject, batch: Any, precision: str, lifetimes: Lifetimes) -> dict[str, Any]:
    """One step in the order in which Lightning takes it: forward, zero_grad, backward, clip, update.

    So the gradients of the step before are there during forward (`lightning/pytorch/loops/optimization/automatic.py`).
    """
    module, parameters = subject.module, list(subject.module.parameters())
    gradients = lifetimes.of(p.grad for p in parameters)
    lifetimes.begin()
    with _precision(subject, precision):
        loss = _loss_of(module.training_step(batch, 0))
    kept = {s for s in lifetimes.storages if s.died is None}
    if module.automatic_optimization:
        for optimizer in subject.optimizers:
            optimizer.zero_grad()
        loss.backward()
    del loss
    gradients |= lifetimes.of(p.grad for p in parameters)
    peak = lifetimes.peak_tick
    lifetimes.begin()
    if module.automatic_optimization:
        _update(subject, parameters)
    state = lifetimes.of(_optimizer_tensors(subject.optimizers))
    return _breakdown(lifetimes, peak, gradients, state, kept, lifetimes.of(_state_of(module)))


def _update(subject: Subject, parameters: list[Any]) -> None:
    if subject.clip:
        torch.nn.utils.clip_grad_norm_(parameters, subject.clip)
    for optimizer in subject.optimizers:
        optimizer.step()


def _breakdown(
    lifetimes: Lifetimes,
    peak: int,
    gradients: set[Storage],
    optimizer: set[Storage],
    kept: set[Storage],
    parameters: set[Storage],
) -> dict[str, Any]:
    """Bytes at the peak of forward and backward by category, and what the update needs besides the states."""
    live = {s for s in lifetimes.storages if s.lives_at(peak)}
    groups = {"parameters": parameters, "gradients": gradients, "optimizer": optimizer}
    sizes = {name: _bytes(live & group) for name, group in groups.items()}
    others = live - parameters - gradients - optimizer
    sizes["activations"] = _bytes(others & kept)
    sizes["temporary"] = _bytes(others - kept)
    states = _bytes(parameters) + _bytes(optimizer) + _bytes({s for s in gradients if s.died is None})
    update = max(0, lifetimes.peak - states)
    return {**sizes, "update": update, "peak": max(sum(sizes.values()), lifetimes.peak)}


def _bytes(storages: Iterable[Storage]) -> int:
    return sum(storage.size for storage in storages)


def _loss_of(output: Any) -> Any:
    return output["loss"] if isinstance(output, dict) else output


def _optimizer_tensors(optimizers: list[Any]) -> Iterator[Any]:
    for optimizer in optimizers:
        for state in optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def _precision(subject: Subject, precision: str) -> Any:
    return subject.autocast() if precision == "bf16-mixed" else contextlib.nullcontext()


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    """Compute with PyTorch's own kernels: those of oneDNN, with a memory of their own, no GPU has."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def _state_of(module: Any) -> list[Any]:
    return [*module.parameters(), *module.buffers()]


# --- The memory -------------------------------------------------------------------------------------------------------


class Storage:
    """One piece of memory: its bytes, and when, on the clock of allocations, it was there."""

    __slots__ = ("born", "died", "size")

    def __init__(self, size: int, born: int) -> None:
        self.size = size
        self.born = born
        self.died: int | None = None

    def lives_at(self, tick: int) -> bool:
        return self.born <= tick and (self.died is None or self.died > tick)


class Lifetimes(TorchDispatchMode):
    """Sees the memory of all that operations make, and when it is given back; knows the peak since `begin`.

    It counts as `torch.distributed._tools.mem_tracker.MemTracker` does. That one reports one peak for the whole step,
    refuses modules that run twice in it, and is not in every torch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.storages: list[Storage] = []
        self.tick = 0
        self.peak = 0
        self.peak_tick = 0
        self._live = 0
        self._known: dict[int, Storage] = {}

    def begin(self) -> None:
        """Look for the peak from here on."""
        self.peak, self.peak_tick = self._live, self.tick

    def see_all(self, tensors: Iterable[Any]) -> None:
        for tensor in tensors:
            self.see(tensor)

    def see(self, tensor: Any) -> None:
        """Count a tensor's memory, once however many tensors share it."""
        memory = tensor.untyped_storage()
        known, size = self._known.get(memory._cdata), memory.nbytes()
        if known is None:
            weakref.finalize(memory, self._died, memory._cdata).atexit = False
        elif known.size == size:
            return
        else:  # resized in place
            self._end(known)
        self.tick += 1
        storage = Storage(size, self.tick)
        self.storages.append(storage)
        self._known[memory._cdata] = storage
        self._live += size
        if self._live > self.peak:
            self.peak, self.peak_tick = self._live, self.tick

    def of(self, tensors: Iterable[Any]) -> set[Storage]:
        """The memory behind those of the tensors that were seen; `None` among them is passed over."""
        found = (self._known.get(t.untyped_storage()._cdata) for t in tensors if t is not None)
        return {storage for storage in found if storage is not None}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self.see, made)
        return made

    def _died(self, cdata: int) -> None:
        self._end(self._known.pop(cdata))

    def _end(self, storage: Storage) -> None:
        self.tick += 1
        storage.died = self.tick
        self._live -= storage.size


# --- Fake models ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _faking(subject: Subject) -> Iterator[None]:
    """Compute on tensors without data.

    With a shape environment a number that only data could give (`loss.item()`) is a symbol, not an error.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv(), static_shapes=True)
    with _without_onednn(), mode, _faked(subject):
        yield


@contextlib.contextmanager
def _faked(subject: Subject) -> Iterator[None]:
    """Under a fake mode: put tensors without data in the place of parameters and buffers, and back in the end."""
    owned = [(owner, name) for m in subject.module.modules() for owner in (m._parameters, m._buffers) for name in owner]
    originals = [(owner, name, owner[name]) for owner, name in owned if owner[name] is not None]
    groups = [(group, dict(group)) for o in subject.optimizers for group in o.param_groups]
    fakes: dict[int, Any] = {}

    def fake(tensor: Any) -> Any:
        if id(tensor) not in fakes:
            fakes[id(tensor)] = _like(tensor)
        return fakes[id(tensor)]

    try:
        for owner, name, tensor in originals:
            owner[name] = fake(tensor)
        for group, given in groups:
            group["params"] = [fake(tensor) for tensor in given["params"]]
            if group.get("foreach", False) is None and not group.get("fused"):
                group["foreach"] = True  # what None means on a GPU (`torch/optim/optimizer.py`)
        _refresh_recurrent(subject.module)
        yield
    finally:
        for owner, name, tensor in originals:
            owner[name] = tensor
        for group, given in groups:
            group.update(given)
        for optimizer in subject.optimizers:
            optimizer.state.clear()
        _refresh_recurrent(subject.module)


def _refresh_recurrent(module: Any) -> None:
    """Recurrent layers keep a list of their own parameters besides."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.RNNBase):
            layer._flat_weights = [getattr(layer, name) for name in layer._flat_weights_names]


def _like(tensor: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Under a fake mode: a tensor without data of the same kind, laid out in the same way."""
    if shape is None:
        made = torch.empty_strided(tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype)
    else:
        made = torch.empty(shape, dtype=tensor.dtype)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made.requires_grad_(tensor.requires_grad)


def _is_faking() -> bool:
    from torch._guards import detect_fake_mode

    return detect_fake_mode() is not None


@contextlib.contextmanager
def _checkpointing(modules: list[Any]) -> Iterator[None]:
    """Wrap the forward passes of modules in activation checkpoints."""
    from torch.utils.checkpoint import checkpoint

    for module in modules:
        # Fake tensors have no random state to save, and it takes no memory worth counting.
        module.forward = functools.partial(checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for module in modules:
            del module.forward


@contextlib.contextmanager
def _quiet(module: Any) -> Iterator[None]:
    """Let logging do nothing, and metrics of torchmetrics give a zero: they look at data, and take little memory."""
    stubs: list[tuple[Any, str]] = []

    def stub(owner: Any, name: str, function: Callable[..., Any]) -> None:
        owner.__dict__[name] = function
        stubs.append((owner, name))

    for name in ("log", "log_dict", "print"):
        stub(module, name, lambda *args, **kwargs: None)
    for part in module.modules():
        if any(base.__module__.startswith("torchmetrics") and base.__name__ == "Metric" for base in type(part).__mro__):
            for name in ("forward", "update", "compute"):
                stub(part, name, lambda *args, **kwargs: torch.zeros(()))
    try:
        yield
    finally:
        for owner, name in stubs:
            del owner.__dict__[name]
