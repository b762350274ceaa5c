"""What a function costs in a process of its own: its time, and the memory that it adds."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# ru_maxrss of a child begins at the peak of its parent, so the peak is read where it is its own.
SCRIPT = """
import json, re, time
from crossdock import CrossdockError, find_xml, parse_xml, stream_xml
from lxml import etree

def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024

{code}
before, started = peak(), time.process_time()
try:
    got = run()
except CrossdockError as error:
    got = error.code
print(json.dumps([got, time.process_time() - started, peak() - before]))
"""


class Cost(NamedTuple):
    """What a function gave, or the code of its error, and what it cost."""

    got: Any
    seconds: float
    megabytes: float


Measure = Callable[[str], Cost]


@pytest.fixture
def measured() -> Measure:
    """Run code that defines ``run``, and measure that function."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process's memory is read from /proc, as Linux has it")

    def measure(code: str) -> Cost:
        script = SCRIPT.format(code=code)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return Cost(*json.loads(done.stdout))

    return measure
