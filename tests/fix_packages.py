"""Packages that are made in a test: commands in their folders, and their wheels in a place of the test."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

BIN = Path(sys.executable).parent


def in_folder(
    folder: Path, *command: object, typed: str | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    known = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder.parent), "LANG": "C.UTF-8"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=known | environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def installed(packages: Iterable[Path], folder: Path) -> dict[str, str]:
    """Install packages from their wheels into a folder, and give the environment in which they are."""
    wheels = list[Path]()
    for package in packages:
        built = in_folder(package, sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist")
        assert built.returncode == 0, built.stdout
        wheels += (package / "dist").iterdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = in_folder(folder, *pip, "--target", folder, *wheels)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": str(folder)}
