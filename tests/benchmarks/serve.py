"""Measure what is promised of ``crossdock serve``, and write the table of it beside this file.

    python tests/benchmarks/serve.py [GROUP ...]

A group is intake, runs, ends, clocks or tests; with names, nothing is written. The exit code says whether
something was missed that must hold on any machine.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import clocks
import ends
import intake
import runs
from figure import Figure, collected, machine, write_table

TABLE = Path(__file__).with_name("SERVE.md")
ROOT = TABLE.parents[2]
TESTS = {
    "F3": ("each 200 comes after the sync of its message", "tests/reliability/test_inbox_store.py", "in_01"),
    "F14": (
        "no secret in what a served run leaves, wherever it fails",
        "tests/reliability/test_leaks.py",
        "se_01 or se_02",
    ),
    "F15": (
        "what looks like SQL is stored as it is or refused, and the schema stays",
        "tests/adaptors/postgresql/test_injection.py",
        "f15",
    ),
}


def tests() -> Iterator[Figure]:
    """Run the tests that are the measure of what has no rate."""
    for row, (what, file, named) in TESTS.items():
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            options = ["-q", "-p", "no:cacheprovider", "-rs", f"--junitxml={report}", file, "-k", named]
            command = [sys.executable, "-m", "pytest", *options]
            ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
            numbers = [found.attrib["value"] for found in ElementTree.parse(report).iterfind(".//property[@name='n']")]
        said = ran.stdout.strip().splitlines()[-1].strip("= ")
        met = ran.returncode == 0 and "passed" in said and "skipped" not in said
        n = ", ".join(numbers) or "1"
        yield Figure(row, what, "passes", said.partition(" in ")[0], met, n, f"{file}, -k {named!r}")


GROUPS = {
    "intake": intake.figures,
    "runs": runs.figures,
    "ends": ends.figures,
    "clocks": clocks.figures,
    "tests": tests,
}


def main() -> int:
    """Measure, and tell whether all is met that must be."""
    before, chosen = machine(), sys.argv[1:] or list(GROUPS)
    figures = collected(GROUPS[name] for name in chosen)
    if not sys.argv[1:]:
        write_table(TABLE, "make bench-serve", before, figures)
        print(f"written to {TABLE.relative_to(ROOT)}")
    return int(any(one.gates and not one.met for one in figures))


if __name__ == "__main__":
    sys.exit(main())
