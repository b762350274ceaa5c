"""Rehearsal: what every run goes through, done before there is a run.

What Python makes only when it first needs it (modules, interned names, faster bytecode, caches of
lookups) then is in the memory that all children share; each would make it again, and that takes
longer than a small run.
"""

import encodings.idna  # noqa: F401 - Python imports it when it first looks up the address of a host
import sys
from io import BytesIO
from pathlib import Path

from crossdock.job import load_job
from crossdock.plugins import Plugins
from crossdock.run import Run
from crossdock.worker.working import Progress, finished
from crossdock.workflow import Step, Workflow

_JOB = Path(__file__).with_name("rehearsed_job.py")
_TIMES = 20
"""After about ten times Python has made its bytecode as fast as it gets."""


def rehearse() -> None:
    """Run a job that does nothing, and tell nobody."""
    path = sys.path[:]
    for _ in range(_TIMES):
        _run()
    sys.path[:] = path


def _run() -> None:
    progress, plugins = Progress(), Plugins()
    progress.begin(lambda _: None, BytesIO())
    plugins.register("crossdock", progress)
    run = Run(Workflow("rehearsal", Step("same", load_job(_JOB), next=[])), {"data": {}}, plugins=plugins)
    run.execute()
    finished(run, 1)
