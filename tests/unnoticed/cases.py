"""Small programs of every kind. `train.py` is what is run, unless the words say otherwise; `tiny.py` lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Case(NamedTuple):
    """One program."""

    source: str
    words: tuple[str, ...] = ("train.py",)
    files: Mapping[str, str] = {}
    stdin: str = ""
    fits: int = 1
    """How many fits it brings to an end."""


_BEGIN = "from tiny import *\n"


def _fits(source: str, fits: int = 1, **more: str) -> Case:
    return Case(_BEGIN + source, fits=fits, files=more)


CALLBACKS: dict[str, Case] = {
    "callbacks: a list of its own kind": _fits("""
class Told(L.Callback):
    def on_fit_end(self, trainer, module): print("told", [type(c).__name__ for c in trainer.callbacks if "Tui" not in type(c).__name__])
class Own(list): pass
fit(callbacks=Own([Told(), Told()]))
"""),
    "callbacks: a UserList": _fits("""
from collections import UserList
class Told(L.Callback):
    def on_train_start(self, trainer, module): print("told")
fit(callbacks=UserList([Told()]))
"""),
    "callbacks: a generator": _fits("""
class Told(L.Callback):
    def on_train_start(self, trainer, module): print("told")
fit(callbacks=list(Told() for _ in range(2)))
"""),
    "callbacks: one alone": _fits("""
class Told(L.Callback):
    def on_train_start(self, trainer, module): print("told")
fit(callbacks=Told())
"""),
    "callbacks: a ListConfig": _fits("""
from omegaconf import ListConfig
class Told(L.Callback):
    def on_train_start(self, trainer, module): print("told")
fit(callbacks=ListConfig([Told()], flags={"allow_objects": True}))
"""),
    "callbacks: something else is refused": _fits("fit(callbacks=7)\n", 0),
    "callbacks: with state in a checkpoint": _fits(
        """
class Counts(L.Callback):
    seen = 0
    def on_train_batch_end(self, *_): self.seen += 1
    def state_dict(self): return {"seen": self.seen}
    def load_state_dict(self, state): print("loaded", state); self.seen = state["seen"]
fit(callbacks=[Counts()]).save_checkpoint("a.ckpt")
made = trainer(callbacks=[Counts()], max_steps=6)
made.fit(Net(), data(), ckpt_path="a.ckpt")
tell(made)
print([c.seen for c in made.callbacks if isinstance(c, Counts)])
""",
        2,
    ),
    "callbacks: one raises": _fits(
        """
class Raises(L.Callback):
    def on_train_batch_end(self, *_): raise ValueError("from a callback")
fit(callbacks=[Raises()])
""",
        0,
    ),
    "callbacks: one raises and is caught": _fits("""
import traceback
class Raises(L.Callback):
    def on_train_batch_end(self, *_): raise ValueError("from a callback")
try:
    fit(callbacks=[Raises()])
except ValueError as error:
    print([(f.f_code.co_filename.rpartition("/")[2], n) for f, n in traceback.walk_tb(error.__traceback__)])
fit()
"""),
    "callbacks: early stopping": _fits("""
from lightning.pytorch.callbacks import EarlyStopping
fit(callbacks=[EarlyStopping("train_loss", patience=0, mode="max", check_on_train_epoch_end=True)], max_steps=40)
"""),
    "callbacks: a monitor that is not logged": _fits(
        """
from lightning.pytorch.callbacks import EarlyStopping
fit(callbacks=[EarlyStopping("nothing", check_on_train_epoch_end=True)], max_steps=8)
""",
        0,
    ),
    "callbacks: a lambda": _fits("""
from lightning.pytorch.callbacks import LambdaCallback
fit(callbacks=[LambdaCallback(on_train_start=lambda trainer, module: print("starts"))])
"""),
    "callbacks: the trainer's list is counted": _fits("""
made = fit(callbacks=[L.Callback()])
print([type(c).__name__ for c in made.callbacks if "Tui" not in type(c).__name__])
"""),
    "bar: one of the program's own": _fits("""
from lightning.pytorch.callbacks import ProgressBar
class Bar(ProgressBar):
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        super().on_train_batch_end(trainer, module, outputs, batch, index)
        print("batch", index, sorted(self.get_metrics(trainer, module)))
made = fit(callbacks=[Bar()], enable_progress_bar=True)
print(type(made.progress_bar_callback).__name__, made.progress_bar_callback.total_train_batches)
"""),
    "bar: derived from TQDM's": _fits("""
import sys
from lightning.pytorch.callbacks import TQDMProgressBar
class Bar(TQDMProgressBar):
    count = 0
    def on_train_batch_end(self, *args):
        super().on_train_batch_end(*args)
        self.count += 1
made = fit(callbacks=[Bar(refresh_rate=1)], enable_progress_bar=True)
print(type(made.progress_bar_callback).__name__, made.progress_bar_callback.count, made.progress_bar_callback.is_enabled)
"""),
    "barebones": _fits("""
made = L.Trainer(accelerator="cpu", devices=1, barebones=True, max_steps=4)
made.fit(Net(), data())
print(made.global_step)
"""),
}

LOGGING: dict[str, Case] = {
    "metrics: a subclass of a tensor": _fits("""
class Meta(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return super().__torch_function__(func, types, args, kwargs or {})
class Other(Net):
    def training_step(self, batch, i):
        loss = super().training_step(batch, i)
        self.log("meta", loss.detach().as_subclass(Meta))
        return loss
fit(Other())
"""),
    "metrics: a loss of a subclass": _fits("""
class Meta(torch.Tensor):
    pass
class Other(Net):
    def training_step(self, batch, i):
        return super().training_step(batch, i).as_subclass(Meta)
fit(Other())
"""),
    "metrics: arrays and numbers": _fits("""
import numpy as np
from fractions import Fraction
class Other(Net):
    def training_step(self, batch, i):
        self.log_dict({"array": torch.tensor(2.0), "int": 3, "float": 0.5})
        if self.loggers: self.logger.log_metrics({"zero": np.float32(1), "fraction": Fraction(1, 2), "0-d": np.array(4.0)})
        return super().training_step(batch, i)
fit(Other())
"""),
    "metrics: names that nobody expects": _fits("""
class Other(Net):
    def training_step(self, batch, i):
        self.log("two\\nlines", 1.0); self.log("\\x1b[31mred", 2.0); self.log("a,b\\t\\"c\\"", 3.0); self.log("", 4.0)
        return super().training_step(batch, i)
fit(Other())
"""),
    "metrics: no loss is returned": _fits("""
class Other(Net):
    def training_step(self, batch, i): return None
fit(Other(), max_epochs=1, max_steps=-1)
"""),
    "metrics: nan": _fits("""
class Other(Net):
    def training_step(self, batch, i):
        self.log("bad", float("nan"))
        return super().training_step(batch, i) * float("inf")
fit(Other())
"""),
    "metrics: torchmetrics": _fits("""
import torchmetrics
class Other(Net):
    def __init__(self):
        super().__init__()
        self.mean = torchmetrics.MeanMetric()
    def training_step(self, batch, i):
        loss = super().training_step(batch, i)
        self.mean(loss)
        self.log("mean", self.mean, on_step=False, on_epoch=True)
        return loss
fit(Other())
"""),
    "logger: one of the program's own": _fits("""
from lightning.pytorch.loggers import Logger
class Own(Logger):
    name, version = "own", 1
    def __init__(self): super().__init__(); self.seen = []
    def log_metrics(self, metrics, step=None): self.seen.append((sorted(metrics), step))
    def log_hyperparams(self, params, *args, **kwargs): print("hyperparameters", dict(params))
made = fit(logger=Own())
print(made.logger.seen)
"""),
    "logger: one that raises": _fits("""
import traceback
from lightning.pytorch.loggers import Logger
class Own(Logger):
    name, version = "own", 1
    def log_metrics(self, metrics, step=None): raise RuntimeError("the server is gone")
    def log_hyperparams(self, params, *args, **kwargs): pass
try:
    fit(logger=Own())
except RuntimeError as error:
    print([(f.f_code.co_filename.rpartition("/")[2], n) for f, n in traceback.walk_tb(error.__traceback__)])
    raise
""", 0),
    "logger: CSV in its usual place": _fits("""
import glob
from lightning.pytorch.loggers import CSVLogger
made = fit(logger=CSVLogger("."), enable_checkpointing=True)
print(sorted(glob.glob("lightning_logs/**", recursive=True)), made.checkpoint_callback.best_model_path)
"""),
    "logger: none is said, so Lightning's own": _fits("""
made = fit(logger=True, enable_checkpointing=True)
print(made.default_root_dir, made.log_dir, made.checkpoint_callback.dirpath)
"""),
    "logger: two": _fits("""
from lightning.pytorch.loggers import CSVLogger
fit(logger=[CSVLogger("a"), CSVLogger("b", name="c")])
"""),
    "logging: configured by the program": _fits("""
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(filename)s %(funcName)s %(message)s", force=True)
logging.getLogger("mine").info("before")
fit()
print(logging.getLogger().handlers, logging.getLogger("lightning").level)
"""),
    "logging: an exception with its stack": Case("""
import logging, sys
logging.basicConfig(stream=sys.stdout)
def deep():
    try: 1 / 0
    except ZeroDivisionError: logging.exception("told")
deep()
""", fits=0),
    "logging: a dictionary": _fits("""
import logging.config
logging.config.dictConfig({"version": 1, "disable_existing_loggers": True, "handlers": {"f": {"class": "logging.FileHandler", "filename": "all.log"}}, "root": {"level": "INFO", "handlers": ["f"]}})
logging.info("hello")
fit()
"""),
}  # fmt: skip

PROCESS: dict[str, Case] = {
    "descriptors: all are closed": _fits("""
import os
os.closerange(3, 256)
with open("own.csv", "w") as file:
    fit()
    file.write("a,b\\n")
print(open("own.csv").read())
"""),
    "environment: cleared": _fits("""
import os
os.environ.clear()
fit()
print(sorted(os.environ))
"""),
    "environment: looked at": Case(
        """
import os
print(sorted(name for name in os.environ if "LIGHTNING" not in name))
""",
        fits=0,
    ),
    "exit: a code": _fits("fit(); import sys; sys.exit(3)\n"),
    "exit: a text": _fits("fit(); import sys; sys.exit('metric too low')\n"),
    "exit: true": _fits("fit(); import sys; sys.exit(True)\n"),
    "exit: none": _fits("fit(); import sys; sys.exit(None)\n"),
    "exit: an object": _fits("fit(); raise SystemExit({'a': 1})\n"),
    "exit: hard": _fits("fit(); import os; os._exit(5)\n"),
    "exit: inside of the fit": _fits(
        """
class Leaves(Net):
    def on_train_start(self): raise SystemExit(4)
fit(Leaves())
""",
        0,
    ),
    "exit: handlers": _fits("""
import atexit
atexit.register(print, "last")
atexit.register(lambda: print("before"))
fit()
"""),
    "exit: an exception in a handler": _fits("""
import atexit
def handler(): raise ValueError("late")
atexit.register(handler)
fit()
"""),
    "exit: a signal": _fits("fit(); import os, signal; os.kill(os.getpid(), signal.SIGTERM)\n"),
    "interrupt: by the program": _fits("fit()\nraise KeyboardInterrupt\n"),
    "interrupt: inside of the fit": _fits(
        """
class Interrupts(Net):
    def on_train_epoch_start(self): raise KeyboardInterrupt
try:
    fit(Interrupts())
except BaseException as error: print(type(error).__name__)
""",
        0,
    ),
    "uncaught": _fits("fit()\ndef deep(): return {}['key']\ndeep()\n"),
    "uncaught: inside of the fit": _fits(
        """
class Fails(Net):
    def training_step(self, batch, i): return self.layer(batch[0][:, :3]).sum()
fit(Fails())
""",
        0,
    ),
    "uncaught: chained": _fits(
        """
try:
    try: 1 / 0
    except ZeroDivisionError as error: raise RuntimeError("worse") from error
except RuntimeError: raise KeyError("still worse")
""",
        0,
    ),
    "uncaught: a wrong argument of the Trainer": _fits("trainer(precision='none of these')\n", 0),
    "uncaught: an unknown argument of the Trainer": _fits("L.Trainer(gpus=1)\n", 0),
    "caught: and trained again with less": _fits("""
class Fails(Net):
    def training_step(self, batch, i): raise RuntimeError("CUDA out of memory. (not really)")
try: fit(Fails())
except RuntimeError as error: print("caught", error)
fit()
"""),
    "signals: a handler of the program": _fits("""
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
class Signals(Net):
    def on_train_epoch_start(self): os.kill(os.getpid(), signal.SIGUSR1)
fit(Signals())
print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
"""),
    "threads: one that goes on": _fits("""
import threading, time
threading.Thread(target=lambda: (time.sleep(0.1), print("thread")), name="t").start()
fit()
print(threading.current_thread() is threading.main_thread(), threading.active_count() <= 2)
"""),
    "threads: the fit is in one": _fits("""
import threading
thread = threading.Thread(target=fit)
thread.start(); thread.join()
"""),
    "threads: one fails": _fits("""
import threading
thread = threading.Thread(target=lambda: 1 / 0, name="fails")
thread.start(); thread.join()
fit()
"""),
    "processes: forked": _fits("""
import multiprocessing
def work(n): return n * n
with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(work, range(4)))
fit()
"""),
    "processes: spawned": Case(
        """
import multiprocessing
def work(n): return n * n
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool: print(pool.map(work, range(4)))
""",
        fits=0,
    ),
    "processes: os.fork": Case(
        """
import os, sys
child = os.fork()
if child == 0: print("child", flush=True); sys.exit(6)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
        fits=0,
    ),
    "processes: a subprocess": Case(
        """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout)
""",
        fits=0,
    ),
    "processes: workers of a loader": _fits("""
from torch.utils.data import DataLoader
made = trainer()
made.fit(Net(), DataLoader(data().dataset, batch_size=4, num_workers=1, multiprocessing_context="fork"))
tell(made)
"""),
    "stdin: a question": Case(
        """
print("really? ", end="", flush=True)
if input() != "y": raise SystemExit("no")
import sys
print(sys.stdin.read())
from tiny import *
fit()
""",
        stdin="y\nand the rest\n",
    ),
    "stdin: nothing": Case("input('really? ')\n", fits=0),
    "warnings: as errors": _fits("""
import warnings
fit()
warnings.simplefilter("error")
warnings.warn("now an error")
"""),
    "warnings: are recorded": _fits("""
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    fit()
print(len([w for w in seen if "lightning_tui" in str(w.filename) + str(w.message)]))
"""),
    "tracing: settrace": _fits("""
import sys
calls = []
sys.settrace(lambda frame, event, arg: calls.append(frame.f_code.co_name) if frame.f_code.co_filename == __file__ else None)
def traced(): pass
traced()
sys.settrace(None)
fit()
print(calls)
"""),
    "tracing: setprofile": Case(
        """
import sys
seen = []
def profile(frame, event, arg): seen.append((event, frame.f_code.co_name))
def f(): return len([])
sys.setprofile(profile); f(); sys.setprofile(None)
print(seen)
""",
        fits=0,
    ),
    "hooks: an excepthook": _fits("""
import sys, traceback
def hook(kind, value, tb): print("hook", kind.__name__, value, [n for _, n in traceback.walk_tb(tb)], sys.exc_info())
sys.excepthook = hook
fit()
1 / 0
"""),
    "recursion": Case(
        """
import sys
def deep(n): return deep(n + 1)
try: deep(0)
except RecursionError as error: print(type(error).__name__, sys.getrecursionlimit())
""",
        fits=0,
    ),
}

SHAPE: dict[str, Case] = {
    "argparse": Case("""
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("rest", nargs="*")
print(parser.parse_args(), parser.prog)
from tiny import *
fit(Net(0.01))
""", ("train.py", "--lr", "0.5", "--", "a b", "-m")),
    "argparse: a wrong argument": Case("""
import argparse
parser = argparse.ArgumentParser(); parser.add_argument("--lr", type=float); parser.parse_args()
""", ("train.py", "--lr", "much"), fits=0),
    "a guard": Case("""
from tiny import *
def main(): fit()
if __name__ == "__main__": main()
"""),
    "chdir": _fits("""
import os
os.makedirs("elsewhere"); os.chdir("elsewhere")
fit(logger=True, enable_checkpointing=True)
print(sorted(os.listdir()))
"""),
    "a module of a package": Case("", ("-m", "pkg.train", "--x", "1"), {
        "pkg/__init__.py": "", "pkg/part.py": "value = 7\n",
        "pkg/train.py": "import sys\nfrom .part import value\nfrom tiny import *\nprint(value, __package__, __name__, sys.argv[1:])\nfit()\n",
    }),
    "a script that is no package's": Case("from .part import value\n", files={"part.py": "value = 7\n"}, fits=0),
    "a folder": Case("", ("app", "x"), {"app/__main__.py": "import sys\nsys.path.append('.')\nfrom tiny import *\nprint(sys.argv, __package__)\nfit()\n"}),
    "a zipapp": Case("", ("app.pyz", "x"), {"app.pyz!/__main__.py": "import sys\nsys.path.append('.')\nfrom tiny import *\nprint(sys.argv, __name__)\nfit()\n"}),
    "compiled code": Case("", ("compiled.pyc", "x"), {"compiled.pyc!": "import sys\nprint(sys.argv, __name__)\nfrom tiny import *\nfit()\n"}),
    "paths": Case("""
import sys, os
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
import helper
print(helper.value, __file__.rpartition("/")[2], os.path.isabs(__file__), sys.path[1] == os.path.dirname(os.path.abspath(__file__)))
""", files={"lib/helper.py": "value = 8\n"}, fits=0),
    "globals": Case("""
print(sorted(globals()), __name__, __doc__, __package__, __spec__)
import sys
print(vars(sys.modules["__main__"]) is globals(), type(__builtins__).__name__)
""", fits=0),
    "pickling of a class of its own": _fits("""
import pickle
class Mine(Net):
    pass
net = Mine(); net.layer.weight.data.zero_()
made = fit(net)
copy = pickle.loads(pickle.dumps(Mine))
print(copy is Mine, pickle.dumps(net)[:2])
torch.save(net.state_dict(), "weights.pt")
print(sorted(torch.load("weights.pt", weights_only=True)))
"""),
    "deepcopy of the trainer": _fits("""
import copy, pickle
made = fit()
again = copy.deepcopy(made)
print(type(again).__name__, again.global_step, len(pickle.dumps(made.callbacks)) > 0)
"""),
    "several trainers": _fits("""
for seed in range(3):
    L.seed_everything(seed, verbose=False)
    fit(max_steps=2 + seed)
""", 3),
    "fit, validate, test, predict": _fits("""
made = trainer()
made.fit(Net(), data(), data())
tell(made)
print([sorted(r) for r in made.validate(dataloaders=data(), verbose=False)])
print(made.test(dataloaders=data(), verbose=False))
print(len(made.predict(dataloaders=data())))
"""),
    "the fit twice": _fits("""
made = fit()
made.fit_loop.epoch_loop.max_steps = 8
made.fit_loop.max_epochs = 20
made.fit(made.lightning_module, data())
tell(made)
""", 2),
    "a Trainer of its own": _fits("""
class Mine(L.Trainer):
    def __init__(self, *args, extra=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.extra = extra
    def fit(self, *args, **kwargs):
        print("my fit", self.extra)
        return super().fit(*args, **kwargs)
made = trainer(Mine, extra=5)
made.fit(Net(), data())
tell(made)
"""),
    "the Trainer's signature": _fits("""
import inspect
print(str(inspect.signature(L.Trainer.__init__))[:120], L.Trainer.__init__.__name__, L.Trainer.fit.__qualname__)
""", 0),
    "manual optimization": _fits("""
class Manual(Net):
    automatic_optimization = False
    def training_step(self, batch, i):
        optimizer = self.optimizers()
        loss = self.step(batch)
        optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()
        self.log("train_loss", loss)
fit(Manual())
"""),
    "a data module": _fits("""
class Data(L.LightningDataModule):
    def setup(self, stage): print("setup", stage)
    def train_dataloader(self): return data()
    def teardown(self, stage): print("teardown", stage)
made = trainer()
made.fit(Net(), datamodule=Data())
tell(made)
"""),
    "random numbers": _fits("""
import random
fit()
print(random.random(), torch.rand(2).tolist())
"""),
    "checkpoints in a place of its own": _fits("""
import os
from lightning.pytorch.callbacks import ModelCheckpoint
made = fit(callbacks=[ModelCheckpoint("ckpts", save_last=True, filename="{step}")], enable_checkpointing=True)
print(sorted(os.listdir("ckpts")), made.checkpoint_callback.last_model_path.rpartition("/")[2])
"""),
    "a checkpoint that cannot be written": _fits("""
import traceback
made = fit()
try:
    made.save_checkpoint("/proc/none/a.ckpt")
except OSError as error:
    names = [f.f_code.co_filename for f, _ in traceback.walk_tb(error.__traceback__)]
    print(type(error).__name__, any("lightning_tui" in name for name in names), len(names))
"""),
    "LightningCLI": Case("""
from lightning.pytorch.cli import LightningCLI
from tiny import *
class Data(L.LightningDataModule):
    def train_dataloader(self): return data()
cli = LightningCLI(Net, Data, run=False, seed_everything_default=1, save_config_callback=None)
cli.trainer.fit(cli.model, cli.datamodule)
tell(cli.trainer)
""", ("train.py", "--config", "config.yaml", "--model.lr=0.1"), {
        "config.yaml": "trainer:\n  accelerator: cpu\n  devices: 1\n  max_steps: 3\n  logger: false\n  enable_checkpointing: false\n  enable_progress_bar: false\n  enable_model_summary: false\n",
    }),
    "LightningCLI: an unknown key": Case("""
from lightning.pytorch.cli import LightningCLI
from tiny import *
LightningCLI(Net, run=False)
""", ("train.py", "--trainer.max_step=3"), fits=0),
    "Hydra": Case("""
import hydra
from omegaconf import OmegaConf
@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    from tiny import fit, Net
    print(OmegaConf.to_container(config))
    fit(Net(config.lr))
main()
""", ("train.py", "lr=0.1", "hydra.run.dir=out"), {"config.yaml": "lr: 1\n"}),
    "Hydra: a wrong key": Case("""
import hydra
@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config): print(config)
main()
""", ("train.py", "rate=0.1"), {"config.yaml": "lr: 1\n"}, fits=0),
    "asyncio": _fits("""
import asyncio
async def main():
    fit()
    await asyncio.sleep(0)
    return 3
print(asyncio.run(main()))
"""),
    "output: bytes and no end of line": Case("import sys\nsys.stdout.buffer.write(b'\\xff\\x00no end')\n", fits=0),
    "output: replaced": _fits("""
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
    fit()
print(len(out.getvalue().splitlines()))
"""),
    "stack: walked from inside of the fit": _fits("""
import sys
class Walks(Net):
    def on_train_start(self):
        frame, names = sys._getframe(), []
        while frame is not None:
            names.append(frame.f_code.co_filename)
            frame = frame.f_back
        print(sum("lightning_tui" in name for name in names))
fit(Walks())
"""),
}  # fmt: skip

CASES = {**CALLBACKS, **LOGGING, **PROCESS, **SHAPE}
