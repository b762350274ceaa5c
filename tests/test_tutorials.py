"""The tutorials, followed as they are written: files are saved, commands are typed, one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody who follows a tutorial in an empty folder; what pip would install is there already."""

    def __init__(self, page: str, folder: Path) -> None:
        self.text = (ROOT / "docs/tutorial" / page).read_text()
        self.folder = folder
        self.said: list[str] = []
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"}

    def follow(self) -> None:
        for block in BLOCK.finditer(self.text):
            before = self.text[: block.start()].rstrip().rpartition("\n\n")[2]
            if block[1] == "console":
                for line in block[2].splitlines():
                    self.type(line.removeprefix("$ "))
            else:
                self.save(before, block[2])

    def save(self, before: str, text: str) -> None:
        """Save a block in the file that the words before it name."""
        file = self.folder / re.findall(r"(?:as|in|end of) `([\w/.]+)`", before)[0]
        if "at the end of" in before:
            text = f"{file.read_text()}\n\n{text}"
        file.write_text(text)

    def type(self, line: str) -> None:
        """Type a command."""
        if line.startswith("pip install"):
            self.install(line)
        elif line.startswith("cd "):
            self.folder /= line.removeprefix("cd ")
        elif line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value
        else:
            self.said.append(self.done(["bash", "-c", line]))

    def install(self, line: str) -> None:
        """Install a package that is being worked on: its metadata beside it, its modules where they are."""
        if "-e '.[test]'" in line:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
            site = self.folder.parent / "site"
            self.done([*pip, "--target", str(site), "."])
            self.environment["PYTHONPATH"] = f"{self.folder}{os.pathsep}{site}"

    def done(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def test_the_first_job_works_as_it_is_written_and_does_what_its_page_says(tmp_path):
    reader = Reader("first-job.md", tmp_path)

    reader.follow()

    plan = (tmp_path / "plan.json").read_text()
    for said in ('"name": "Amina Said"', '"phone": null', '"born": "1998-04-03"'):
        assert said in reader.text
        assert said in plan
    failure = next(said for said in reader.said if "it ended with" in said)
    assert "it ended with 1" in failure
    assert "pregnancies.py" in failure
    assert "fix:" in failure
    assert " passed" in reader.said[-1]


def test_the_first_adaptor_works_as_it_is_written(tmp_path):
    reader = Reader("first-adaptor.md", tmp_path)

    reader.follow()

    assert sum(" passed in " in said for said in reader.said) == 2
    assert "acme.merge(kept: str, dropped: str" in reader.said[-1]
