"""Runs programs in forks of one process that has Lightning imported: `preloaded.py SHIM_FOLDER`, a job a line on stdin.

A job says on which side: `ours` goes through the shim's own `main`, `bare` does by itself what `python PROGRAM` does.
"""

import atexit
import builtins
import ctypes
import json
import os
import runpy
import signal
import sys
import time
import types

PATIENCE_S = 20.0


def serve():
    """Fork for each job; return it in the child, and never in the parent."""
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            return job
        print(json.dumps(ended(child)), flush=True)
    os._exit(0)


def ended(child):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "out of time"


def become(job):
    """This process as a fresh Python in the program's folder has it."""
    os.setpgid(0, 0)
    for number, (path, flags) in enumerate(
        ((job["stdin"], os.O_RDONLY), (job["stdout"], os.O_WRONLY), (job["stderr"], os.O_WRONLY))
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environ"])


def spare_the_teardown(preloaded):
    """To take Lightning and torch to pieces takes a fork seconds of copying pages; the program's own modules go."""
    kept = {name: sys.modules.pop(name) for name in preloaded if name in sys.modules and name != "__main__"}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


def bare(words):
    """Raises what leaves the program."""
    main = types.ModuleType("__main__")
    main.__dict__.update(given(), __builtins__=builtins)
    sys.modules["__main__"] = main
    first, rest = words[0], words[1:]
    if first == "-m":
        sys.argv = ["-m", *rest[1:]]
        sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(rest[0])
    elif os.path.isdir(first) or first.endswith(".pyz"):
        sys.argv = words
        sys.path.insert(0, os.path.realpath(first) if os.path.isdir(first) else first)
        runpy._run_module_as_main("__main__", False)
    else:
        sys.argv = words
        path = os.path.join(os.getcwd(), first)
        sys.path.insert(0, os.path.dirname(path))
        main.__file__ = path
        with open(path, "rb") as file:
            content = file.read()
        if first.endswith(".pyc"):
            import marshal

            exec(marshal.loads(content[16:]), main.__dict__)
        else:
            exec(compile(content, path, "exec", dont_inherit=True), main.__dict__)


def given():
    return {"__name__": "__main__", **dict.fromkeys(("__doc__", "__package__", "__loader__", "__spec__", "__cached__"))}


def as_python_leaves(error):
    sys.excepthook(type(error), error, error.__traceback__.tb_next.tb_next)
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(1)


if __name__ == "__main__":
    sys.path[0] = sys.argv[1]
    import lightning.pytorch
    import lightning.pytorch.cli  # noqa: F401
    import lightning_tui_runner.start as start

    del sys.path[0]
    sys.path.append(sys.argv[1])
    import gc

    gc.collect()
    gc.freeze()
    heavy = ("torch", "lightning", "numpy", "torchmetrics", "sympy", "jsonargparse", "lightning_utilities", "networkx")
    preloaded = [name for name in sys.modules if name.partition(".")[0] in heavy]
    job = serve()
    atexit.register(spare_the_teardown, preloaded)
    become(job)
    if job["side"] == "ours":
        start.main(["--", *job["words"]], given())
    raised = None
    try:
        bare(job["words"])
    except SystemExit:
        raise
    except BaseException as error:
        raised = error
    if raised is not None:
        as_python_leaves(raised)
