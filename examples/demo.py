"""Run the main job on real systems: a form server and a PostgreSQL that start with it and end with it.

What it writes lies in ``.demo/`` and in a folder for temporary files. Run it twice: nothing is duplicated.
"""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from crossdock.testing.postgres import postgres_server
from form_server import form_server

ROOT = Path(__file__).resolve().parent.parent
TABLE = "create table if not exists visits (visit_id int primary key, clinic text not null, seen_on date not null, phone text)"


def database_folder() -> Path:
    """Give the folder of the demo's database: this checkout's own, and its path has no blank.

    The server of the wheel starts in no path with a blank, and a checkout may lie in one.
    """
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"crossdock-demo-{os.getuid()}-{checkout}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        sys.exit(f"{folder} belongs to somebody else: remove it, or set TMPDIR.")
    return folder


def count(dsn: str) -> int:
    """Give the number of rows; create the table if there is none."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        row = connection.execute("select count(*) from visits").fetchone()
    return row[0] if row else 0


def write_privately(file: Path, value: Any) -> None:
    """Write a JSON file that only its owner can read; YAML reads it too."""
    file.touch(0o600)
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")


def run_job(folder: Path) -> int:
    """Run the job as a person would, and give its exit code."""
    command = [
        "crossdock",
        "run",
        "examples/jobs/visits.py",
        "--credentials",
        folder / "credentials.json",
        "--output",
        folder / "final-state.json",
    ]
    print(
        "$", " ".join(str(part.relative_to(ROOT) if isinstance(part, Path) else part) for part in command), flush=True
    )
    return subprocess.run(
        [sys.executable, "-m", "crossdock.cli", *map(str, command[1:])], cwd=ROOT, check=False
    ).returncode


def main() -> int:
    """Run the demonstration."""
    folder = ROOT / ".demo"
    folder.mkdir(mode=0o700, exist_ok=True)
    token = secrets.token_hex(16)
    print("Starting a form server and PostgreSQL …", flush=True)
    with form_server(token) as server, postgres_server(database_folder()) as dsn:
        credentials = {
            "kobo": {"adaptor": "http", "base_url": server.url, "token": token, "scheme": "Token"},
            "warehouse": {"adaptor": "postgresql", "dsn": dsn},
        }
        write_privately(folder / "credentials.json", credentials)
        before = count(dsn)
        code = run_job(folder)
        after = count(dsn)
    if code != 0:
        print(f"The job ended with exit code {code}.")
        return code
    show(folder, before, after)
    return 0


def show(folder: Path, before: int, after: int) -> None:
    """Print what a person wants to know after the run."""
    state = json.loads((folder / "final-state.json").read_text(encoding="utf-8"))
    new = "nothing was duplicated" if before == after else f"{after - before} are new"
    print(f"""
rows in visits      {before} before, {after} after: {new}
keys of the state   {", ".join(state)}
final state         .demo/final-state.json
database            {database_folder()}/
job                 examples/jobs/visits.py

Try next:
  .venv/bin/crossdock run examples/jobs/greeting.py --state examples/data/one-visit.json
  .venv/bin/crossdock adaptors show http get_all
  make demo""")


if __name__ == "__main__":
    sys.exit(main())
