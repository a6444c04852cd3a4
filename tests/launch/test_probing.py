"""Probing programs: what is found, what goes wrong, and that nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from lightning_tui.launch.probing import probe_program, remembered_probe
from lightning_tui.launch.program import Program, resolve_program
from lightning_tui.launch.throwaway import MARK
from lightning_tui.plan.probe import BlockFacts, ProgramProbe
from tests.conftest import wait_until
from tools.estimate_table import points

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A working directory; afterwards no temporary folder and no process of a probe may be left."""
    folder, temporary = tmp_path / "work", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr("tempfile.tempdir", None)
        yield folder
    assert list(temporary.iterdir()) == []
    assert not _marked_with(str(temporary))


def _marked_with(place: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(place):
                found.append(process)
        except psutil.Error:
            continue
    return found


def program(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> Program:
    return resolve_program(
        words,
        interpreter=Path(sys.executable),
        interpreter_is_given=True,
        folder=folder,
        environ=os.environ if environ is None else environ,
    )


def script(folder: Path, source: str) -> Program:
    (folder / "program.py").write_text(source)
    return program(folder, "program.py")


def probe(what: Program, **options: float) -> ProgramProbe:
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROGRAMS)}
    return probe_program(what, environ=environ, timeout_s=options.get("timeout_s", 120.0))


@pytest.mark.e2e
def test_a_plain_script(folder: Path) -> None:
    what = program(folder, str(PROGRAMS / "plain.py"), "--samples", "40")
    assert remembered_probe(what) is None
    found = probe(what)
    assert found.error is None
    assert (found.parameters, found.trainable, found.parameter_bytes, found.dtypes) == (49, 49, 196, ("float32",))
    assert [(m.name, m.kind, m.parameters) for m in found.modules] == [("layer", "Sequential", 49)]
    assert (found.optimizer, found.batch_size) == ("AdamW", 4)
    assert [(t.name, t.shape, t.dtype) for t in found.batch] == [("[0]", (4, 4), "float32"), ("[1]", (4, 1), "float32")]
    loader = found.loader
    assert loader is not None
    assert (loader.batches, loader.samples, loader.num_workers, loader.shuffle) == (10, 40, 0, False)
    assert found.trainer["max_epochs"] == 5
    assert found.trainer["callbacks"] == ["TQDMProgressBar", "ModelCheckpoint", "EarlyStopping"]
    assert {(m.precision, m.batch_size) for m in found.measurements} == {
        (precision, size) for precision in ("32-true", "bf16-mixed") for size in (4, 8)
    }
    first = found.measurements[0]
    assert (first.parameters, first.gradients) == (196, 196)
    assert found.took_s is not None
    assert found.took_s > 0
    assert list(folder.iterdir()) == []
    assert remembered_probe(what) == found
    assert probe(what) == found  # at once, from the cache
    assert remembered_probe(program(folder, str(PROGRAMS / "plain.py"), "--samples", "80")) is None


@pytest.mark.e2e
def test_the_demo(folder: Path) -> None:
    found = probe(program(folder, "demo"))
    assert found.error is None
    assert found.blocks == (BlockFacts(kind="Block", path="__main__.Block", count=3, parameters=111840),)
    with_checkpoints = [m for m in found.measurements if m.activation_checkpointing]
    assert len(with_checkpoints) == 4
    assert with_checkpoints[0].peak < found.measurements[0].peak
    assert list(folder.iterdir()) == []


@pytest.mark.e2e
def test_the_standalone_flavour(folder: Path) -> None:
    found = probe(program(folder, str(PROGRAMS / "standalone.py"), "out.txt"))
    assert (found.error, found.parameters, found.optimizer, found.batch_size) == (None, 5, "SGD", 2)
    assert found.optimizer_bytes_per_parameter == 0
    assert list(folder.iterdir()) == []


@pytest.mark.e2e
def test_lightning_cli_with_a_config(folder: Path) -> None:
    (folder / "config.yaml").write_text(
        "model: {class_path: cli.Net, init_args: {width: 16}}\n"
        "data: {class_path: cli.Numbers}\n"
        "trainer: {max_epochs: 3, accelerator: gpu, devices: 8, strategy: ddp}\n"
    )
    found = probe(program(folder, "--config", "config.yaml"))
    assert (found.error, found.parameters, found.batch_size) == (None, 97, 2)
    asked = {name: found.trainer[name] for name in ("accelerator", "devices", "strategy", "max_epochs")}
    assert asked == {"accelerator": "gpu", "devices": 8, "strategy": "ddp", "max_epochs": 3}
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


@pytest.mark.e2e
def test_a_hydra_application(folder: Path) -> None:
    found = probe(program(folder, str(PROGRAMS / "hydra_app.py")))
    assert (found.error, found.parameters, found.batch_size) == (None, 58, 3)
    assert [path.name for path in folder.iterdir()] == ["outputs"]  # Hydra makes it before the program begins


@pytest.mark.e2e
def test_an_installed_command_with_manual_optimization(folder: Path) -> None:
    command = folder / "deeptrain"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom deeptrain.command import main\nsys.exit(main())\n")
    command.chmod(0o755)
    found = probe(program(folder, "./deeptrain", "train", "--out", "out.txt"))
    assert (found.error, found.measuring_error, found.automatic_optimization) == (None, None, False)
    assert (found.parameters, found.batch_size) == (4, 3)
    assert [path.name for path in folder.iterdir()] == ["deeptrain"]


_DIFFICULT = """
import lightning as L, torch, torchmetrics
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 4)
        self.accuracy = torchmetrics.Accuracy("multiclass", num_classes=4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.layer(x)
        self.accuracy(out, y)
        self.log("accuracy", self.accuracy)
        loss = torch.nn.functional.cross_entropy(out, y)
        if loss > 1000:
            raise ValueError("diverged")
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    def configure_callbacks(self):
        return [ModelCheckpoint(dirpath="checkpoints")]

data = TensorDataset(torch.randn(64, 8), torch.randint(4, (64,)))
loader = DataLoader(data, batch_size=16, num_workers=2, pin_memory=True, persistent_workers=True)
print("before", L.Trainer(fast_dev_run=True).validate(Model(), loader)[0]["val"])
trainer = L.Trainer(accelerator="gpu", devices=8, strategy="fsdp", logger=CSVLogger("logs"), precision="16-mixed")
trainer.logger.log_hyperparams({"a": 1})
try:
    trainer.fit(Model(), loader)
finally:
    open("after.txt", "w").write("the program went on")
"""


@pytest.mark.e2e
def test_a_program_that_looks_at_data_validates_first_and_wants_gpus(folder: Path) -> None:
    found = probe(script(folder, _DIFFICULT))
    assert (found.error, found.parameters, found.batch_size) == (None, 36, 16)
    assert found.trainer["strategy"] == "fsdp"
    assert found.loader is not None
    assert (found.loader.num_workers, found.loader.pin_memory) == (2, True)
    assert found.measurements == ()  # `if loss > 1000` asks for data
    assert found.measuring_error is not None
    assert "program.py:19" in found.measuring_error
    assert [(f.precision, f.batch_size) for f in found.forwards] == [
        (precision, size) for precision in ("32-true", "bf16-mixed") for size in (2, 4)
    ]
    assert found.optimizer_bytes_per_parameter == 4
    assert [path.name for path in folder.iterdir()] == ["program.py"]


def test_a_failure_before_fit(folder: Path) -> None:
    found = probe(script(folder, "raise ValueError('the data \\x1b[31mis gone')\n"))
    lines = (found.error or "").splitlines()
    assert lines[0] == "The program failed before it imported Lightning: ValueError: the data is gone"
    assert any("program.py" in line for line in lines)
    assert "lightning_tui_runner" not in (found.error or "")
    assert remembered_probe(program(folder, "program.py")) is None


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("print('done')", "The program ended before it imported Lightning.\ndone"),
        ("import sys; sys.exit('no data')", "The program exited before it imported Lightning: no data"),
        (
            "import sys; print('usage'); sys.exit(2)",
            "The program exited before it imported Lightning with exit code 2\nusage",
        ),
        (
            "import os; print('bye', flush=True); os._exit(9)",
            "The program ended with code 9 before anything was learned about it.\nbye",
        ),
        (
            "import os; open(os.environ['LIGHTNING_TUI_PROBE_ANSWER'], 'w').write('{'); os._exit(0)",
            "The result of the probe cannot",
        ),
    ],
)
def test_no_training_at_all(folder: Path, source: str, error: str) -> None:
    found = probe(script(folder, source))
    assert found.error is not None
    assert found.error.startswith(error)
    assert found.parameters is None


def test_garbage_is_neither_kept_nor_passed_on(folder: Path) -> None:
    found = probe(script(folder, "import os, sys; [sys.stdout.buffer.write(os.urandom(1 << 16)) for _ in range(50)]"))
    assert found.error is not None
    assert len(found.error) < 3000
    assert all(letter.isprintable() or letter == "\n" for letter in found.error)


_SLEEPS = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); open('away', 'w').close(); time.sleep(600)"])
while not os.path.exists("away"):
    time.sleep(0.01)
open("asleep", "w").close()
time.sleep(600)
"""


def test_a_program_that_never_comes_to_fit_is_killed_with_all_it_started(folder: Path) -> None:
    found = probe(script(folder, _SLEEPS), timeout_s=2.0)
    assert found.error == "The program did not reach Trainer.fit within 2 s."


def test_cancelling(folder: Path) -> None:
    what = script(folder, _SLEEPS)
    alive = 0

    def cancelled() -> bool:
        nonlocal alive
        alive = len(_marked_with(str(folder.parent)))
        return (folder / "asleep").exists()

    found = probe_program(what, cancelled=cancelled)
    assert found.error == "The probe was cancelled."
    assert alive >= 2, "the program and the process in a session of its own"
    wait_until(lambda: not _marked_with(str(folder.parent)), what="the end of all processes")


def test_it_dies_with_whoever_asked(folder: Path) -> None:
    (folder / "program.py").write_text("import os, time; open('asleep', 'w').close(); time.sleep(600)")
    ask = (
        "import os, sys; from pathlib import Path; from lightning_tui.launch import probing, program; "
        "probing.probe_program(program.resolve_program(['program.py'], interpreter=Path(sys.executable), "
        "interpreter_is_given=True, folder=Path(sys.argv[1]), environ=os.environ))"
    )
    asking = subprocess.Popen([sys.executable, "-c", ask, str(folder)], env={**os.environ, "TMPDIR": str(folder)})
    wait_until(lambda: (folder / "asleep").exists(), 60, "the program's sleep")
    assert _marked_with(str(folder))
    asking.kill()
    asking.wait()
    wait_until(lambda: not _marked_with(str(folder)), what="the end of the program")


def test_an_interpreter_that_is_not_there(folder: Path) -> None:
    what = Program(
        label="x", given=["x.py"], shim_arguments=["x.py"], folder=folder, interpreter=folder / "no" / "python"
    )
    assert "cannot be started" in (probe(what).error or "")


def test_the_ranks_variables_do_not_reach_the_program(folder: Path) -> None:
    what = script(
        folder, "import os; print(sorted(n for n in os.environ if 'RANK' in n), os.environ['SLURM_JOB_NAME'])"
    )
    environ = {**os.environ, "RANK": "1", "LOCAL_RANK": "1", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}
    assert "[] bash" in (probe_program(what, environ=environ).error or "")


def test_a_changed_file_beside_the_program_asks_anew(folder: Path) -> None:
    from lightning_tui.launch.probing import _cache_file

    what = script(folder, "import model")
    (folder / "model.py").write_text("width = 1")
    before = _cache_file(what)
    assert _cache_file(what) == before
    (folder / "model.py").write_text("width = 2")
    assert _cache_file(what) != before


@pytest.mark.e2e
def test_the_estimate_is_what_a_real_step_needs() -> None:
    (point,) = points("mlp", "sgd", precisions=("32-true",), factors=(2,), onednn=False)
    assert abs(point.error) <= 0.05
    assert point.formula_holds
