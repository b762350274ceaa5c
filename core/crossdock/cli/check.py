"""``crossdock check``: the mistakes of jobs, found without running them."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crossdock.cli.ending import EXIT_CODES, say, write_result

if TYPE_CHECKING:
    from crossdock.checking.credential_use import Given
    from crossdock.checking.finding import Finding


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--credentials", metavar="FILE", help="Check the credentials that the jobs get, too: YAML or JSON.")
@click.option("--strict", is_flag=True, help="Count advice as a finding.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(paths: Sequence[str], credentials: str | None, *, strict: bool, as_json: bool) -> None:
    """Find the mistakes of job files, or folders of them, without running anything.

    Without a PATH the folder that you are in is checked.

    Each finding is a line: file, line, code, what is wrong, what to do. The codes are explained in
    docs/check.md. The exit code is 3 if there are findings, and 0 if there are none; codes that
    start with advice_ count only with --strict.
    """
    from crossdock.checking.check import check as check_all  # imported late: --help needs none of it

    checked = check_all(paths or ["."], _given(credentials))
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


def _given(path: str | None) -> "Given | None":
    if path is None:
        return None
    from crossdock.checking.credential_use import Given
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
