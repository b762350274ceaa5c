"""The demonstration, as `make demo` runs it, twice."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "examples/demo.py"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_second_run_of_the_demo_duplicates_nothing(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "a copy" / "examples")

    first, second = demo(tmp_path / "a copy"), demo(tmp_path / "a copy")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    shutil.rmtree(re.search(r"^database +(/.*)/$", first.stdout, re.MULTILINE)[1])
    assert "0 before, 60 after: 60 are new" in first.stdout
    assert "60 before, 60 after: nothing was duplicated" in second.stdout
    assert "keys of the state   written, data" in first.stdout
    assert "http.get_all" in first.stderr
    assert "postgresql.upsert_many" in first.stderr
