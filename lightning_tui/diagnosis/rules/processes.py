"""How a process ended without an exception of its own: signals, schedulers, memory of the host, launchers."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, SLURM_DOCS, TORCH_DOCS, anywhere, do, printed, raised

_RESUME = do("Resume from the newest checkpoint.", computed="resume")
_SIGNALLED = (
    r"(?:[Ss]ignal \d+ \({0}\)|(?:received|caught|killed by|terminated by|exited on|died with|got)[^\n]{{0,30}}{0}\b)"
)
_FAULTHANDLER = do("Where no place is told, run once with PYTHONFAULTHANDLER=1 set: it shows where Python was.")

RULES = (
    Rule(
        category="host-oom-killed",
        title="Main memory ran out, and the kernel killed the process",
        cause="[[{what}. ]]The run's processes needed more main memory than the machine, the container or the job may use.",
        signs=(
            printed("oom-kill", detail=r"(?P<what>Detected \d+ oom.kill event[^\n]{0,60})", weight=72),
            printed("oom_kill event", detail=r"(?P<what>Detected \d+ oom.kill event[^\n]{0,60})", weight=72),
            printed("out of memory: killed process", weight=72),
            printed("memory cgroup out of memory", weight=72),
            printed("oomkilled", weight=72),
            printed("oom killed", weight=72),
            printed(
                "exceeded memory limit",
                pattern=r"(?:StepId=\S{1,40}|Job \d\S{0,40}|Step \d\S{0,40}) exceeded memory limit",
                weight=72,
            ),
            printed("exceeded job memory limit", pattern=r"error: Exceeded job memory limit", weight=72),
            printed("exceeded step memory limit", pattern=r"error: Exceeded step memory limit", weight=72),
            printed("srun: error", ": out of memory", weight=72),
            printed("killed by the cgroup out-of-memory handler", weight=72),
            anywhere("killed due to memory pressure", weight=72),
            raised(types=("OutOfMemoryError",), frame="ray/", weight=72),
            printed("task was killed due to the node running low on memory", weight=72),
            printed("killed", pattern=r"^(?:[\w./-]{1,80}: )?line \d+: +\d+ Killed\b", weight=50),
            printed("killed", pattern=r"^Killed\s*$", weight=50),
            printed("killed", pattern=r"^\[\d+\]\+? +(?:\d+ )?Killed\b", weight=50),
            printed("killed", pattern=r"^(?:zsh|bash|sh): (?:\d+ )?[Kk]illed\b", weight=50),
            printed(": killed", pattern=r"srun: error: [\w.-]{1,80}: tasks? [\d,-]{1,80}: Killed", weight=48),
        ),
        weight=60,
        suggestions=(
            do(
                "Start fewer loader workers: each holds its own batches, and often its own copy of the dataset.",
                computed="fewer_workers",
            ),
            do("Ask for more memory: `--mem=64G` on Slurm, a larger limit of the container, a larger machine."),
            do(
                "Keep data in arrays, tensors or memory-mapped files, not in Python lists, which every worker copies bit by bit."
            ),
            _RESUME,
        ),
        docs=f"{TORCH_DOCS}/data.html#multi-process-data-loading",
        examples=(
            "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=14604003.0 cgroup. Some of your processes may have been killed by the cgroup out-of-memory handler.",
            "train.sh: line 12:  4711 Killed                  python train.py",
        ),
    ),
    Rule(
        category="worker-sigkill",
        title="A rank was killed from outside (SIGKILL)",
        cause="[[Rank {rank} ]]got SIGKILL, without a word of its own: the kernel when memory runs out, a scheduler, or a person.",
        signs=(
            printed("(sigkill) received", pattern=r"Signal 9 \(SIGKILL\)"),
            anywhere("(exitcode: -9)", detail=r"local_rank: (?P<rank>\d+)"),
            raised("signal sigkill", types=("ProcessExitedException",), detail=r"process (?P<rank>\d+) terminated"),
            raised("exitcode", types=("ChildFailedError",), pattern=r"exitcode\s{1,8}: -9"),
            printed("exits with return code = -9"),
            printed("signal 9 (killed)"),
            anywhere("exited on signal 9"),
            anywhere("died with <signals.sigkill"),
        ),
        weight=49,
        suggestions=(
            do(
                "Look whether main memory ran out: `dmesg | grep -i oom`, the memory gauge at the end of the run, the scheduler's log."
            ),
            do("Start fewer loader workers.", computed="fewer_workers"),
            _RESUME,
        ),
        docs=f"{TORCH_DOCS}/elastic/errors.html",
        examples=(
            "traceback : Signal 9 (SIGKILL) received by PID 1183",
            "[2026-11-22 12:13:14,515] [ERROR] [launch.py:325:sigkill_handler] [...] exits with return code = -9",
        ),
    ),
    Rule(
        category="host-memory-alloc",
        title="Main memory could not be allocated",
        cause="[[{wanted} bytes]][[{size} for an array]] were asked for in one piece, and the machine has not so much[[ (shape {shape})]].",
        signs=(
            raised("defaultcpuallocator", detail=r"tried to allocate (?P<wanted>\d+) bytes"),
            raised(
                "unable to allocate",
                pattern=r"Unable to allocate (?P<size>[\d.]+ [KMGTPE]?i?B) for an array with shape (?P<shape>\([\d, ]{1,80}\))",
                types=("MemoryError", "_ArrayMemoryError", "ArrayMemoryError"),
            ),
            raised(types=("MemoryError", "_ArrayMemoryError", "ArrayMemoryError")),
            anywhere("cannot allocate memory", lacks=("shared memory", "dataloader"), types=()),
            anywhere("std::bad_alloc"),
            raised("can't allocate memory"),
            raised("not enough memory: you tried to allocate", pattern=r"allocate (?P<wanted>\d+) bytes"),
            raised("errno 12"),
        ),
        weight=64,
        suggestions=(
            do(
                "Look at the shape: often one dimension too many, or a whole dataset at once where a batch is meant.",
                in_code=True,
            ),
            do("Halve the batch.", computed="halve_the_batch"),
            do("Start fewer loader workers.", computed="fewer_workers"),
        ),
        docs="https://numpy.org/doc/stable/reference/generated/numpy.memmap.html",
        examples=(
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 745. GiB for an array with shape (100000, 1000000) and data type float64",
            "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 160000000000 bytes. Error code 12 (Cannot allocate memory)",
        ),
    ),
    Rule(
        category="memory-growth",
        title="Memory grows step by step",
        cause="[[From {first} to {last}. ]]Something is kept at every step: a loss with its graph in a list, outputs of all batches, a cache without bound.",
        signs=(anywhere("memory leak detected"),),
        severity="warning",
        weight=57,
        suggestions=(
            do(
                "Keep numbers, not tensors: `loss.detach()` or `.item()` before it goes into a list; clear lists at the epoch's end.",
                in_code=True,
            ),
            do("Use torchmetrics or self.log instead of collecting outputs by hand.", in_code=True),
            do(
                "If it is the loader's workers, keep samples in arrays instead of Python lists.",
                computed="fewer_workers",
            ),
        ),
        docs=f"{TORCH_DOCS}/notes/faq.html#my-model-reports-cuda-runtime-error-2-out-of-memory",
    ),
    Rule(
        category="segfault",
        title="Native code crashed (SIGSEGV)",
        cause="A compiled library touched memory that is not its own[[; Python was in {place}]].",
        signs=(
            printed("fatal python error: segmentation fault"),
            printed(
                "segmentation fault",
                pattern=r"^(?:[\w./-]{1,80}: )?(?:line \d+: )?[\s\d]{0,12}Segmentation fault(?:: \d+|\s{1,20}\(core|\s{2,20}\S|\s*$)",
            ),
            printed(
                "segmentation fault",
                pattern=r"(?:srun: error: |received|signal|Caught|\(core dumped\))",
                lacks=("dataloader worker",),
            ),
            printed("sigsegv", pattern=_SIGNALLED.format("SIGSEGV")),
            printed("segfault at"),
            raised(
                "segmentation fault", types=("RuntimeError", "ProcessExitedException"), lacks=("dataloader worker",)
            ),
            anywhere("(exitcode: -11)"),
            raised("exitcode", types=("ChildFailedError",), pattern=r"exitcode\s{1,8}: -11"),
            raised("signal sigsegv"),
            anywhere("return code = -11"),
            printed("fatal python error: bus error", weight=55),
            anywhere("access violation"),
        ),
        weight=59,
        suggestions=(
            _FAULTHANDLER,
            do(
                "Suspect libraries of different builds in one environment (numpy, opencv, torch from conda and pip): make a fresh one."
            ),
            do("Load data in the main process: a crash in a worker then shows its place.", computed="no_workers"),
        ),
        docs="https://docs.python.org/3/library/faulthandler.html",
        examples=(
            "Fatal Python error: Segmentation fault",
            "train.sh: line 3:  8123 Segmentation fault      (core dumped) python train.py",
        ),
    ),
    Rule(
        category="abort",
        title="Native code aborted (SIGABRT)",
        cause="A compiled library found its own state broken and ended the process[[: {what}]][[; Python was in {place}]].",
        signs=(
            printed(
                "aborted",
                pattern=r"^(?:[\w./-]{1,80}: )?(?:line \d+: )?[\s\d]{0,12}Aborted(?:\s{2,20}\S| \(core|$)",
                weight=32,
            ),
            printed("fatal python error: aborted", weight=40),
            printed("double free or corruption", pattern=r"(?P<what>double free or corruption[^\n]{0,40})"),
            printed("free(): invalid", pattern=r"(?P<what>free\(\): invalid[^\n]{0,40})"),
            printed(
                "malloc", pattern=r"(?P<what>malloc(?:\(\)|_consolidate\(\))?: [^\n]{1,60}|malloc.c:\d+[^\n]{1,120})"
            ),
            printed("corrupted size vs. prev_size", pattern=r"(?P<what>corrupted size vs\. prev_size)"),
            printed("corrupted double-linked list"),
            printed("munmap_chunk(): invalid pointer"),
            printed("*** stack smashing detected"),
            printed("pure virtual method called"),
            printed("sigabrt", pattern=_SIGNALLED.format("SIGABRT"), weight=33),
            anywhere("(exitcode: -6)", weight=33),
            raised("exitcode", types=("ChildFailedError",), pattern=r"exitcode\s{1,8}: -6", weight=33),
            raised("signal sigabrt", weight=33),
            printed("omp: error #", weight=58),
        ),
        weight=59,
        suggestions=(
            do("The cause is the line above this one, if there is one."),
            _FAULTHANDLER,
            do("Suspect libraries of different builds in one environment: make a fresh one."),
        ),
        docs="https://docs.python.org/3/library/faulthandler.html",
        examples=("free(): invalid pointer", "bash: line 1: 12006 Aborted                 python train.py"),
    ),
    Rule(
        category="illegal-instruction",
        title="The CPU does not know an instruction (SIGILL)",
        cause="A library was compiled for a newer CPU than this one (AVX2, AVX-512, another ARM), or its file is damaged.",
        signs=(
            printed(
                "illegal instruction",
                pattern=r"(?:^|line \d+: |Fatal Python error: |task [\d,-]{1,40}: |signal|\d{1,9} )Illegal instruction",
                lacks=("an illegal instruction was encountered",),
            ),
            printed("sigill", pattern=_SIGNALLED.format("SIGILL")),
            anywhere("(exitcode: -4)"),
            raised("exitcode", types=("ChildFailedError",), pattern=r"exitcode\s{1,8}: -4"),
            raised("signal sigill"),
            anywhere("return code = -4"),
            anywhere("cpu does not support", pattern=r"(?:AVX|SSE|FMA|instruction)"),
        ),
        weight=61,
        suggestions=(
            do(
                "See which import fails (`python -X faulthandler -c 'import torch'`), and install a build of it for this CPU, or compile it here."
            ),
            do("On a cluster ask for nodes with newer CPUs (`--constraint`)."),
        ),
        docs="https://docs.python.org/3/library/faulthandler.html",
        examples=("bash: line 1: 1199 Illegal instruction     (core dumped) python train.py",),
    ),
    Rule(
        category="keyboard-interrupt",
        title="Stopped by Ctrl-C",
        cause="The program got SIGINT from the keyboard or a notebook's stop button.",
        signs=(
            printed("detected keyboardinterrupt"),
            raised(types=("KeyboardInterrupt",)),
            printed("received 2 death signal"),
            raised("got signal: 2"),
            printed("received sigint", pattern=r"^(?:\[[^\]]{1,40}\] )?Received SIGINT"),
        ),
        weight=62,
        suggestions=(_RESUME, do("In the cockpit `x` stops at the end of a step and saves first.")),
        docs=f"{LIGHTNING_DOCS}/common/trainer.html",
        examples=(
            "Detected KeyboardInterrupt, attempting graceful shutdown...",
            'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    x()\nKeyboardInterrupt',
        ),
    ),
    Rule(
        category="sighup",
        title="The terminal was closed (SIGHUP)",
        cause="The launcher got a hang-up: the terminal or the connection it ran in is gone, and it ended its ranks.",
        signs=(
            printed("received 1 death signal"),
            raised("got signal: 1", pattern=r"got signal: 1\b"),
            printed("sighup", pattern=r"(?:Received|received|got|closing signal|signal)[^\n]{0,30}SIGHUP"),
            printed("hangup", pattern=r"^(?:[\w./-]{1,80}: )?(?:line \d+: )?[\s\d]{0,12}Hangup(?:\s{2,20}\S|$)"),
            raised("sighup", types=("SignalException",)),
        ),
        weight=61,
        suggestions=(
            do("Start it so that it outlives the terminal: runs of this cockpit do; else tmux, or `nohup`."),
            _RESUME,
        ),
        docs="https://man7.org/linux/man-pages/man7/signal.7.html",
        examples=("torch.distributed.elastic.multiprocessing.api.SignalException: Process 10780 got signal: 1",),
    ),
    Rule(
        category="sigterm",
        title="Ended by SIGTERM from outside",
        cause="Something asked the process to end: a scheduler (time limit, pre-emption), `kill`, a container that stops. Lightning then leaves with exit code 0.",
        signs=(
            printed(
                "received sigterm",
                pattern=r"^(?:\[[^\]]{1,40}\] )?(?:[\w.:/-]{1,80} )?Received SIGTERM(?:: ?15\b|\W{0,3}$)",
                weight=34,
            ),
            printed("received 15 death signal", weight=36),
            raised("got signal: 15", weight=36),
            raised(types=("SIGTERMException",), weight=34),
            printed(
                "terminated",
                pattern=r"^(?:[\w./-]{1,80}: )?(?:line \d+: )?[\s\d]{0,12}Terminated(?:\s{2,20}\S|$)",
                weight=34,
            ),
            printed("(sigterm) received", weight=12),
            printed("terminated by signal", pattern=r"(?:SIGTERM|15)", weight=34),
            printed("bypassing sigterm", weight=33),
        ),
        weight=34,
        suggestions=(
            _RESUME,
            do("Ask who ended it: the scheduler's log, `last`, the container's events."),
            do("On Slurm a warning signal saves and requeues: `--signal=SIGUSR1@90 --requeue`."),
        ),
        docs=f"{LIGHTNING_DOCS}/clouds/cluster_advanced.html",
        examples=(
            "[rank: 0] Received SIGTERM: 15",
            "torch.distributed.elastic.multiprocessing.api.SignalException: Process 10780 got signal: 15",
        ),
    ),
    Rule(
        category="slurm-time-limit",
        title="The Slurm job reached its time limit",
        cause="[[{what} was ended at its wall time.]]",
        signs=(
            printed("due to time limit", detail=r"(?P<what>(?:JOB|STEP) [\d.\w]{1,40})"),
            printed("job", "time limit", "slurm", pattern=r"(?:exhausted|reached|exceeded|exceed)"),
            printed("time limit exhausted"),
            printed("state=timeout"),
            printed("has exceeded its time limit"),
        ),
        weight=76,
        suggestions=(
            do(
                "Ask for more time (`--time`), or let it save and requeue itself: `--signal=SIGUSR1@90 --requeue` with SLURMEnvironment(auto_requeue=True)."
            ),
            do("Let Lightning stop before the limit, with a checkpoint (max_time)."),
            _RESUME,
        ),
        docs=f"{SLURM_DOCS}/sbatch.html#OPT_time",
        examples=("slurmstepd: error: *** JOB 4242 ON node07 CANCELLED AT 2025-01-02T03:04:05 DUE TO TIME LIMIT ***",),
    ),
    Rule(
        category="slurm-preempt-requeue",
        title="Slurm pre-empted or requeued the job",
        cause="The job had to make room, or was put back into the queue[[ ({why})]].",
        signs=(
            printed("due to preemption", pattern=r"DUE TO (?P<why>PREEMPTION)"),
            printed("due to job requeue", pattern=r"DUE TO (?P<why>JOB REQUEUE)"),
            printed("requeued slurm job"),
            printed("handling auto-requeue signal"),
            printed("preempted", "slurm"),
            printed("due to node failure", pattern=r"DUE TO (?P<why>NODE FAILURE)"),
            printed("requeing job"),
            printed("requeuing job", pattern=r"requeue?ing job"),
            printed("job requeued"),
        ),
        weight=75,
        suggestions=(
            do("Nothing needs to be done where auto-requeue is on: it resumes from its hpc checkpoint."),
            do("Else resume from the newest checkpoint.", computed="resume"),
            do("Save more often, so that less is lost.", checkpoint_save_last=True),
        ),
        docs=f"{LIGHTNING_DOCS}/clouds/cluster_advanced.html",
        examples=("slurmstepd: error: *** JOB 24 ON node1 CANCELLED AT 2025-01-02T03:04:05 DUE TO PREEMPTION ***",),
    ),
    Rule(
        category="slurm-cancelled",
        title="The Slurm job was cancelled",
        cause="[[{what} was cancelled by a person or an administrator (scancel).]]",
        signs=(
            printed(
                "cancelled at",
                pattern=r"\*\*\* (?P<what>JOB [\d.\w]{1,40}) ON [\w.\[\],-]{1,120} CANCELLED AT [\dT:-]{10,25}(?: by \S{1,40})? ?\*\*\*",
                weight=70,
            ),
            printed(
                "cancelled at",
                pattern=r"\*\*\* (?P<what>STEP [\d.\w]{1,40}) ON [\w.\[\],-]{1,120} CANCELLED AT [\dT:-]{10,25} ?\*\*\*",
                weight=37,
                nowhere=("exited with exit code",),
            ),
            printed("force terminated job", weight=65),
            printed("job allocation", "has been revoked", weight=65),
            printed("job has been cancelled", weight=66),
            printed("scancel", "cancel", "slurm", weight=50),
        ),
        weight=60,
        suggestions=(_RESUME, do("Ask who cancelled it: `sacct -j JOB -o State%40` names the user.")),
        docs=f"{SLURM_DOCS}/scancel.html",
        examples=("slurmstepd: error: *** JOB 14 ON node1 CANCELLED AT 2025-01-02T03:04:05 ***",),
    ),
    Rule(
        category="slurm-config-mismatch",
        title="Trainer and Slurm disagree about nodes or tasks",
        cause="[[devices={devices} in Lightning, --ntasks-per-node={tasks} in Slurm. ]]Lightning wants one Slurm task for each device and the same number of nodes.",
        signs=(
            raised(
                "configured in slurm",
                detail=r"devices=(?P<devices>\d+)[\s\S]{0,120}?ntasks-per-node=(?P<tasks>\d+)",
            ),
            raised("you set `--ntasks="),
            raised("ntasks-per-node", pattern=r"(?:match|Use|use)"),
            raised("slurm", "does not match", pattern=r"(?:devices|nodes|tasks)"),
            raised("the product", "does not match the world size"),
        ),
        weight=68,
        suggestions=(
            do("Set `#SBATCH --nodes` as num_nodes and `#SBATCH --ntasks-per-node` as devices, and start with srun."),
            do("Let Lightning take all devices of the task.", devices="auto"),
        ),
        docs=f"{LIGHTNING_DOCS}/clouds/cluster_advanced.html",
        examples=(
            "ValueError: You set `devices=4` in Lightning, but the number of tasks per node configured in SLURM `--ntasks-per-node=2` does not match. HINT: Set `devices=2`.",
        ),
    ),
    Rule(
        category="slurm-submit-rejected",
        title="Slurm did not take the job",
        cause="[[{what}. ]]sbatch or srun refused it: a partition, account, limit or option that does not exist or is not allowed.",
        signs=(
            printed("batch job submission failed", pattern=r"submission failed: (?P<what>[^\n]{1,160})"),
            printed("sbatch: error", pattern=r"sbatch: error: (?P<what>[^\n]{1,160})", weight=58),
            printed("unable to allocate resources", pattern=r"Unable to allocate resources: (?P<what>[^\n]{1,160})"),
            printed("allocation failure", pattern=r"allocation failure: (?P<what>[^\n]{1,160})"),
            printed("salloc: error", weight=57),
            printed("unable to create step", pattern=r"(?P<what>Unable to create step[^\n]{1,160})"),
            printed("invalid partition"),
            printed("is not a valid node count"),
            printed("requested node configuration is not available"),
            printed("invalid account or account/partition combination"),
            printed(
                "srun: error:",
                pattern=r"srun: error: (?P<what>(?:Unable|Invalid|invalid|unrecognized|Unrecognized|Required|Job violates|Requested)[^\n]{1,160})",
                weight=57,
            ),
            printed("unrecognized option", "srun"),
            printed("(partitionconfig)"),
            printed("(reqnodenotavail"),
        ),
        weight=66,
        suggestions=(
            do(
                "See what there is: `sinfo -o '%P %l %D %G'`, `sacctmgr show assoc user=$USER`, and ask for less or elsewhere."
            ),
        ),
        docs=f"{SLURM_DOCS}/sbatch.html",
        examples=(
            "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
        ),
    ),
    Rule(
        category="slurm-task-failed",
        title="A Slurm task failed, and the step was ended",
        cause="[[Task {task} on {node} left with exit code {code}. ]]The other tasks were ended for it; why it failed stands in its own output.",
        signs=(
            printed(
                "exited with exit code",
                pattern=r"srun: error: (?P<node>[\w.\[\],-]{1,120}): tasks? (?P<task>[\d,-]{1,120}): Exited with exit code (?P<code>\d+)",
            ),
            printed("job step aborted", weight=24),
            printed("task launch for", "failed"),
            printed("task 0 launch failed"),
            printed("launch failed:", "srun", weight=40),
            printed("_step_signal: terminating", weight=24),
            printed("terminating job step", weight=24),
        ),
        weight=32,
        suggestions=(
            do("Look at that task's own output (`srun --output=rank-%t.log`) for the first traceback."),
            do("Keep --kill-on-bad-exit=1: else the other tasks wait for ever."),
        ),
        docs=f"{SLURM_DOCS}/srun.html#OPT_kill-on-bad-exit",
        examples=("srun: error: node2: task 1: Exited with exit code 1",),
    ),
    Rule(
        category="program-exit",
        title="The program ended itself[[ {when}]]",
        cause="[[Training was complete at step {complete}. ]]The program left[[ with exit code {code}]][[ and said: {text}]]. No exception or signal is on record: sys.exit and os._exit end a program so.",
        signs=(
            raised(
                types=("SystemExit",),
                detail=r"SystemExit: (?P<code>-?\d+)$",
                lacks=("left with exit code 0 amid",),
            ),
        ),
        weight=38,
        suggestions=(
            do(
                "Find the call: the last frame shows it; a command-line error or a check of the program ends it this way.",
                in_code=True,
            ),
        ),
        docs="https://docs.python.org/3/library/sys.html#sys.exit",
        examples=(
            'Traceback (most recent call last):\n  File "train.py", line 7, in <module>\n    sys.exit(3)\nSystemExit: 3',
        ),
    ),
    Rule(
        category="missing-main-guard",
        title="The script lacks its main guard",
        cause='Processes are started by spawn: each imports the script anew, and without `if __name__ == "__main__":` it begins to train again.',
        signs=(
            raised("has finished its bootstrapping phase"),
            anywhere("freeze_support()", weight=55, elsewhere=("__main__",)),
        ),
        weight=72,
        suggestions=(
            do('Put what starts the training under `if __name__ == "__main__":`.', in_code=True),
            do("Start the ranks as subprocesses instead of by spawn.", computed="no_spawn"),
            do("Load data without worker processes.", computed="without_workers"),
        ),
        docs="https://docs.python.org/3/library/multiprocessing.html#the-spawn-and-forkserver-start-methods",
        examples=(
            "RuntimeError: \n        An attempt has been made to start a new process before the\n        current process has finished its bootstrapping phase.",
        ),
    ),
    Rule(
        category="spawn-pickling",
        title="Something cannot be sent to a new process",
        cause="[[{what} cannot be pickled, and spawned processes (ranks or loader workers) get their objects that way: lambdas, local functions, open files, generators, locks.]]",
        signs=(
            raised("can't pickle", detail=r"can't pickle (?P<what>local object [^\n]{1,100}|[^\n]{1,100})"),
            raised(
                "cannot pickle",
                pattern=r"cannot pickle '?(?P<what>[\w.]{1,80})",
                lacks=("cuda storage", "meta storage"),
            ),
            raised(types=("PicklingError",)),
            raised(
                "pickl",
                types=("AttributeError", "TypeError", "PicklingError"),
                pattern=r"(?:can't|cannot|not) (?:be )?pickled?",
            ),
            raised("can't get attribute", "<module '__main__'", frame="multiprocessing"),
            raised("can't get local object"),
            raised("cannot serialize", types=("TypeError",), frame="multiprocessing"),
        ),
        weight=66,
        suggestions=(
            do(
                "Move lambdas and local functions to the module's top level, and open files and connections inside the process that uses them.",
                in_code=True,
            ),
            do("Start ranks as subprocesses: nothing is pickled.", computed="no_spawn"),
            do("Load data without worker processes.", computed="without_workers"),
        ),
        docs="https://docs.python.org/3/library/pickle.html#what-can-be-pickled-and-unpickled",
        examples=(
            "AttributeError: Can't pickle local object 'main.<locals>.<lambda>'",
            "TypeError: cannot pickle 'generator' object",
        ),
    ),
)
