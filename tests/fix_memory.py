"""A job in a process of its own, and the memory that it takes there."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_CHILD = """
import json, sys
from pathlib import Path
from crossdock import Job, Run, Workflow, each
from crossdock.adaptors import http, kobotoolbox
import crossdock_http.transport

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024

job = Job({operations})
fields = json.loads(sys.argv[1])
run = Run(Workflow.of(job), credentials={{"api": {{"adaptor": "http", **fields}}}}, files=Path(sys.argv[2]))
before = peak()
outcome = run.execute()
error = getattr(run.error, "code", None) or repr(run.error)
print(json.dumps({{"outcome": outcome, "error": error, "data": run.state.data, "grew": peak() - before}}))
"""


class Measured(NamedTuple):
    """A run that ended."""

    outcome: str
    error: str
    data: Any
    grew: int
    """The bytes by which its process grew at most."""


MeasureHttp = Callable[..., Measured]


@pytest.fixture
def measure_http(tmp_path: Path) -> MeasureHttp:
    """Run operations, given as source, with a credential of these fields, of http unless they name an adaptor; ``tmp_path`` is the run's folder."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the memory of a process is read from /proc: run this on Linux")

    def measure(operations: str, **fields: Any) -> Measured:
        command = [sys.executable, "-c", _CHILD.format(operations=operations), json.dumps(fields), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return Measured(**json.loads(done.stdout))

    return measure
