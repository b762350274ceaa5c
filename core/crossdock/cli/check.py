"""``crossdock check``: the mistakes of jobs, found without running them."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crossdock.cli.ending import EXIT_CODES, say, write_result

if TYPE_CHECKING:
    from crossdock.checking.check import Checked
    from crossdock.checking.credential_file import Given
    from crossdock.checking.finding import Finding


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--credentials",
    metavar="FILE",
    help="Check the credentials that jobs without a project get, too: YAML or JSON.",
)
@click.option("--strict", is_flag=True, help="Count advice as a finding.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(paths: Sequence[str], credentials: str | None, *, strict: bool, as_json: bool) -> None:
    """Find the mistakes of projects, or job files, or folders of them, without running anything.

    A PATH that is a YAML file, or a folder with a project.yaml, is a project: it is checked with all
    of its jobs.

    Without a PATH the folder that you are in is checked.

    Each finding is a line: file, line, code, what is wrong, what to do. The codes are explained in
    docs/check.md. The exit code is 3 if there are findings, and 0 if there are none; codes that
    start with "advice" count only with --strict.
    """
    checked = _checked(paths or ["."], credentials)
    findings = checked.findings
    if as_json:
        write_result(json.dumps([finding._asdict() for finding in findings], indent=2, ensure_ascii=False) + "\n", None)
    elif sys.stdout is not None and sys.stdout.isatty():
        _show(findings)
    else:
        write_result("".join(f"{finding}\n" for finding in findings), None)
    say(_summary(findings, len(checked.files)))
    faulty = any(strict or not finding.is_advice for finding in findings)
    click.get_current_context().exit(EXIT_CODES["refused"] if faulty else 0)


def _checked(paths: Sequence[str], credentials: str | None) -> "Checked":
    """Check projects one by one, and all other files together."""
    from crossdock.checking.check import Checked  # imported late: --help needs none of it
    from crossdock.checking.check import check as check_all
    from crossdock.project import is_project, project_file
    from crossdock.project.check import check_project

    projects = [check_project(project_file(path)) for path in paths if is_project(path)]
    others = [path for path in paths if not is_project(path)]
    all_of_it = [*projects, *([check_all(others, _given(credentials))] if others else [])]
    findings = (finding for checked in all_of_it for finding in checked.findings)
    return Checked(findings, (file for checked in all_of_it for file in checked.files))


def _given(path: str | None) -> "Given | None":
    if path is None:
        return None
    from crossdock.checking.credential_file import Given
    from crossdock.documents import read_document
    from crossdock.errors import CredentialError

    return Given(path, read_document(path, what=f"the credentials file {path!r}", error=CredentialError))


def _show(findings: "Sequence[Finding]") -> None:
    """Show findings on a terminal: the same words on two lines, the place and what is wrong, then what to do."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for finding in findings:
        colour = "yellow" if finding.is_advice else "red"
        place = Text(f"{finding.file}:{finding.line}:", "bold")
        console.print(place, Text(finding.code, colour), Text(finding.message), soft_wrap=True)
        console.print(Text("    → ", "green") + Text(finding.fix), soft_wrap=True)


def _summary(findings: "Sequence[Finding]", files: int) -> str:
    advice = sum(finding.is_advice for finding in findings)
    faults = len(findings) - advice
    parts = [_count(faults, "finding") if faults else "no findings"]
    parts += [_count(advice, "piece of advice", "pieces of advice")] if advice else []
    return f"{' and '.join(parts)} in {_count(files, 'file')}"


def _count(number: int, what: str, many: str = "") -> str:
    return f"{number} {what if number == 1 else many or what + 's'}"
