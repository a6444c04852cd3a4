"""Rules about what the program's interpreter has installed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lightning_tui.environment.model import Environment, Finding, Software
from lightning_tui.text.units import plural

COMPROMISED = frozenset({"2.6.2", "2.6.3"})
"""Releases of lightning that carried malicious code (GHSA-w37p-236h-pfx3)."""

MINIMUM_DRIVER = {13: 580, 12: 525, 11: 450}
"""Driver branch that a major version of CUDA needs at least (NVIDIA, "CUDA Compatibility", Minor Version Compatibility,
table 1)."""

_INSTALL = "-m pip install torch 'lightning!=2.6.2,!=2.6.3'"
_GET_TORCH = "https://pytorch.org/get-started/locally names the command"


def compromised_release(software: Software) -> str | None:
    """Name the installed release of Lightning that must not be imported, or `None`."""
    for name, version in (("lightning", software.lightning), ("pytorch-lightning", software.pytorch_lightning)):
        if version in COMPROMISED:
            return f"{name} {version}"
    return None


def reason_not_to_start(software: Software) -> str | None:
    """Say in a sentence why no program may be started with this interpreter at all, or `None`."""
    release = compromised_release(software)
    if release is None:
        return None
    name = release.partition(" ")[0]
    return (
        f"{release}, which {software.interpreter} has installed, is a compromised release that steals credentials "
        f"(GHSA-w37p-236h-pfx3): nothing was started. {software.interpreter} -m pip install '{name}>=2.6.4', or choose "
        "another interpreter with --python."
    )


def _compromised_lightning(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None or (release := compromised_release(software)) is None:
        return
    name = release.partition(" ")[0]
    yield Finding(
        "compromised-lightning",
        "error",
        f"{release} is a compromised release",
        "Versions 2.6.2 and 2.6.3 were published with code that steals credentials (GHSA-w37p-236h-pfx3).",
        f"Do not import it. {software.interpreter} -m pip install '{name}>=2.6.4', then renew the keys and "
        "tokens that this machine could read.",
    )


def _interpreter_unknown(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is not None and software.error is not None:
        yield Finding(
            "interpreter-unknown",
            "warning",
            "The packages of the program's Python could not be read",
            f"{software.interpreter}: {software.error}.",
            "Choose another interpreter with --python, or activate the environment that has torch and lightning.",
        )


def _missing_packages(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None or software.error is not None:
        return
    for name, is_there in (("torch", software.torch is not None), ("lightning", software.has_lightning)):
        if not is_there:
            yield Finding(
                f"no-{name}",
                "error",
                f"{name} is not installed for the program's Python",
                f"{software.interpreter} (Python {software.python}) has no package {name}.",
                f"{software.interpreter} {_INSTALL}, or choose another interpreter with --python.",
            )


def _two_flavours(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None or software.lightning is None or software.pytorch_lightning is None:
        return
    if software.lightning != software.pytorch_lightning:
        yield Finding(
            "two-lightnings",
            "warning",
            "Two versions of Lightning are installed",
            f"lightning {software.lightning} and pytorch-lightning {software.pytorch_lightning}: a Trainer of one does "
            "not accept modules and callbacks of the other.",
            f"{software.interpreter} -m pip install 'lightning=={software.lightning}' "
            f"'pytorch-lightning=={software.lightning}', or import only one of them.",
        )


def _cpu_torch_beside_gpus(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    whole = sum(gpu.mig is None for gpu in environment.gpus)
    if whole and software is not None and software.torch_build == "cpu":
        yield Finding(
            "cpu-torch",
            "warning",
            "torch is a CPU build, but there are GPUs",
            f"torch {software.torch} cannot use the {plural(whole, 'GPU')} of this machine.",
            f"Install a CUDA build of torch: {_GET_TORCH}.",
        )


def _driver_too_old(environment: Environment) -> Iterator[Finding]:
    """Within one major version of CUDA any driver of that version will do, so the major versions are compared."""
    software, driver = environment.software, environment.driver
    if software is None or software.torch_cuda is None or driver is None:
        return
    needed = _major(software.torch_cuda)
    minimum = MINIMUM_DRIVER.get(needed or 0)
    told = _major(driver.cuda)
    branch = _major(driver.driver)
    if needed is None or (told is not None and told >= needed):
        return
    if told is None and (branch is None or minimum is None or branch >= minimum):
        return
    newest = f", which runs CUDA up to {driver.cuda}" if driver.cuda else ""
    wanted = f"to {minimum} or newer" if minimum else f"to one for CUDA {needed}"
    yield Finding(
        "old-driver",
        "error",
        f"The NVIDIA driver is too old for torch's CUDA {software.torch_cuda}",
        f"The driver is {driver.driver or 'N/A'}{newest}: torch {software.torch} will see no GPU.",
        f"Update the driver {wanted}, or install a build of torch for an older CUDA: {_GET_TORCH}.",
    )


def _gpu_not_in_torch(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None or not software.torch_architectures:
        return
    for name, capability in dict.fromkeys((gpu.name or "GPU", gpu.compute_capability) for gpu in environment.gpus):
        if capability is not None and not runs_on(capability, software.torch_architectures):
            yield Finding(
                "gpu-not-in-torch",
                "error",
                f"torch has no code for {name}",
                f"Its compute capability is {capability}; torch {software.torch} has code for "
                f"{', '.join(software.torch_architectures)}.",
                f"Install a build of torch that supports it: {_GET_TORCH}.",
            )


def runs_on(capability: str, architectures: tuple[str, ...]) -> bool:
    """Whether a GPU of this compute capability (`8.9`) can run code for one of these architectures.

    Machine code (`sm_86`) runs on its own major version from its minor version on, code with a letter on its very
    version (`a`) or family (`f`) alone; `compute_90` is compiled for whatever is newer (CUDA Programming Guide,
    "Compute Capabilities": binary and PTX compatibility).
    """
    major, _, minor = capability.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        return True
    return any(_covers(name, int(major), int(minor)) for name in architectures)


def _covers(architecture: str, major: int, minor: int) -> bool:
    match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
    if match is None:
        return True
    first, second = int(match[2]), int(match[3])
    if match[4] == "a":
        return (first, second) == (major, minor)
    if match[1] == "compute" and not match[4]:
        return (first, second) <= (major, minor)
    return first == major and second <= minor


def _major(version: str | None) -> int | None:
    match = re.match(r"\d+", version or "")
    return int(match[0]) if match else None


RULES = (
    _compromised_lightning,
    _missing_packages,
    _interpreter_unknown,
    _driver_too_old,
    _gpu_not_in_torch,
    _cpu_torch_beside_gpus,
    _two_flavours,
)
