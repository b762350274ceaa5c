"""``crossdock credentials``: where values come from, and whether they let one in; never a value."""

import json
import os
import stat
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crossdock.cli.ending import EXIT_CODES, say, table, write_result
from crossdock.cli.given import Given, read_given
from crossdock.errors import CredentialError, CrossdockError, closest, message_of
from crossdock.redaction import Redactor

if TYPE_CHECKING:
    from crossdock.plugins import Plugins
    from crossdock.provenance import Origin
    from crossdock.worker.child import Ended, Send

F = TypeVar("F", bound=Callable[..., Any])
Work = Callable[["Plugins", Redactor, "Send"], Any]
_OK, _FAILED, _REFUSED = 0, EXIT_CODES["failed"], EXIT_CODES["refused"]
_NONE = "There are no credentials."
_EXITS = {"ok": _OK, "failed": _FAILED, "refused": _REFUSED}


@click.group()
def credentials() -> None:
    """Show where the values of credentials come from, and check that they let one in.

    No command shows a value.
    """


def _options(command: F) -> F:
    for option in (
        click.option(
            "--credentials",
            "file",
            metavar="FILE",
            help="The credentials: YAML or JSON; with a PROJECT they count more than its own.",
        ),
        click.option("--env", metavar="NAME", help="The environment of the project whose credentials count."),
        click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            default=30.0,
            show_default=True,
            help="How long one may take.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("-v", "--verbose", is_flag=True, help="Show tracebacks, and what the adaptors log."),
    ):
        command = option(command)
    return command


@credentials.command("list")
@click.argument("project", metavar="[PROJECT]", required=False)
@_options
def list_(
    project: str | None, file: str | None, env: str | None, timeout: float, *, as_json: bool, verbose: bool
) -> None:
    """List the fields of the credentials, and where the value of each comes from.

    PROJECT is a folder with a project.yaml, or that file; by default the folder that you are in,
    unless there is a --credentials FILE. References are looked up, and their values not shown. The
    exit code is 3 if anything is missing.
    """
    given = read_given(project, file, env)
    asked = _Asked(lambda plugins, redactor, send: _listed(given, plugins, redactor, send))
    rows = asked.answer(timeout, verbose=verbose)
    if rows is None:
        raise CredentialError(f"while {asked.doing}: {asked.ending}", fix=asked.fix)
    write_result((json.dumps(rows, indent=2, ensure_ascii=False) if as_json else _table(rows)) + "\n", None)
    _warn_of_readers(given.files, rows)
    missing = any(row["problem"] for row in rows)
    click.get_current_context().exit(_REFUSED if missing else _OK)


@credentials.command()
@click.argument("words", metavar="NAME [PROJECT]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Check all of them; NAME is left out.")
@_options
def check(
    words: tuple[str, ...],
    file: str | None,
    env: str | None,
    timeout: float,
    *,
    everything: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Connect with a credential, and ask the system whether it lets one in.

    PROJECT is as for `crossdock credentials list`. Nothing is written to the system. The exit code
    is 0 if it lets one in, 1 if it does not or can't be reached, and 3 if the credential is missing
    or invalid.
    """
    name, project = _words(words, everything=everything)
    given = read_given(project, file, env)
    verdicts = [
        _verdict(named, given.entries[named], timeout, verbose=verbose) for named in _chosen(given.entries, name)
    ]
    shown = json.dumps(verdicts, indent=2, ensure_ascii=False) if as_json else "\n".join(map(_line, verdicts)) or _NONE
    write_result(shown + "\n", None)
    click.get_current_context().exit(max((_EXITS[verdict["status"]] for verdict in verdicts), default=_OK))


def _words(words: tuple[str, ...], *, everything: bool) -> tuple[str | None, str | None]:
    """Give the name of the credential, which --all stands for, and the project."""
    name, *rest = (None, *words) if everything else words or (None,)
    if (name is None) != everything or len(rest) > 1:
        raise click.UsageError("name a credential, or say --all; after that at most a project")
    return name, next(iter(rest), None)


def _chosen(entries: Mapping[str, Any], name: str | None) -> list[str]:
    if name is None:
        return list(entries)
    if name not in entries:
        close = closest(name, entries)
        fix = f"Did you mean {close!r}?" if close else "Name one of these, or add it."
        raise CredentialError(f"there is no credential {name!r}; there are: {', '.join(entries) or 'none'}", fix=fix)
    return [name]


class _Asked:
    """Work with secrets in a child process: an adaptor or a vault that hangs or ends it takes nothing down.

    Args:
        work: Called in the child; what it gives is the answer, in JSON.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._answer: Any = None
        self._printed: list[str] = []
        self.redact = Redactor()
        self.doing = "starting"
        self.ending, self.fix = "", ""

    def answer(self, timeout: float, *, verbose: bool) -> Any:
        """Give the answer, with every secret masked; None if there is none, then ``ending`` says why."""
        from crossdock.worker.child import Child  # imported late: --help needs none of it

        child = Child(
            lambda send: self._in_child(send, verbose=verbose),
            on_message=self._take,
            on_output=self._printed.append,
        )
        ended = child.follow(timeout=timeout)
        say(self.redact("".join(self._printed)), end="")  # at last, since only now all secrets are known
        if ended.signal is not None:
            raise SystemExit(128 + ended.signal)
        if self._answer is None:
            self._explain(ended, timeout)
        return self.redact.in_value(self._answer)[0]

    def _in_child(self, send: "Send", *, verbose: bool) -> None:
        from crossdock.cli.working import log_to_stderr
        from crossdock.plugins import Plugins

        log_to_stderr(verbose=verbose)
        redactor, plugins = Redactor(), Plugins()
        redactor.tell = lambda secret: send({"secret": secret})
        plugins.load()
        send({"answer": self._work(plugins, redactor, send)})

    def _take(self, sent: dict[str, Any]) -> None:
        if "secret" in sent:
            self.redact.add(sent["secret"], what="a credential")
        self.doing = sent.get("doing", self.doing)
        self._answer = sent.get("answer", self._answer)

    def _explain(self, ended: "Ended", timeout: float) -> None:
        if ended.timed_out:
            self.ending = f"there was no answer within {timeout:g} s"
            self.fix = "Check the address and the network, or give it more time: --timeout SECONDS."
        else:
            self.ending = f"the process ended with {ended.how}"
            self.fix = "Tell the makers of the adaptor or plugin."


def _listed(given: Given, plugins: "Plugins", redactor: Redactor, send: "Send") -> list[dict[str, Any]]:
    from crossdock.provenance import Origin, Status, origins

    rows: list[dict[str, Any]] = []
    for name, entry in given.entries.items():
        send({"doing": f"looking up the values of {name}"})
        adaptor = str(entry["adaptor"])
        problem = _unusable(adaptor, plugins)
        found = list(origins(name, entry, plugins=plugins, redactor=redactor))
        if problem is not None or not found:
            status: Status = "ok" if problem is None else "missing"
            found.insert(0, Origin(("adaptor",), "inline", status=status, problem=problem))
        about = {"name": name, "adaptor": adaptor}
        rows += [{**about, "given": given.place(name, *origin.path), **_described(origin)} for origin in found]
    return rows


def _described(origin: "Origin") -> dict[str, Any]:
    said = {"field": origin.field, "source": origin.source, "secret": origin.secret, "status": origin.status}
    return {**said, "problem": _problem(origin.problem)}


def _problem(error: CrossdockError | None) -> dict[str, str] | None:
    return None if error is None else {"code": error.code, "message": error.message, "fix": error.fix}


def _warn_of_readers(files: Sequence[str], rows: list[dict[str, Any]]) -> None:
    """Warn of secrets in a file that others may read."""
    for file in files:
        inside = [row for row in rows if row["secret"] and row["source"] == "inline"]
        written = [row["given"] for row in inside if row["given"].rpartition(":")[0] == file]
        if written and os.stat(file).st_mode & (stat.S_IRGRP | stat.S_IROTH):
            say(
                f"warning: {written[0]} holds a secret, and other users of this machine can read the file\n"
                f"  fix: chmod 600 {file}, or keep the secret elsewhere: env:NAME, file:PATH, keyring:SERVICE/NAME"
            )


def _unusable(name: str, plugins: "Plugins") -> CrossdockError | None:
    """Let an adaptor resolve references, as it does in a run; give what keeps it from that."""
    from crossdock.errors import PluginError
    from crossdock.loading import load_adaptor

    try:
        plugins.register(f"adaptor {name}", load_adaptor(name))
    except PluginError as error:
        return error
    return None


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return _NONE
    columns = ("name", "adaptor", "field", "given", "source", "status")
    heads = ["NAME", "ADAPTOR", "FIELD", "GIVEN IN", "SOURCE", "STATUS"]
    lines = [table([heads, *([row[column] for column in columns] for row in rows)])]
    return "\n".join([*lines, *(f"\n{_problem_lines(row['problem'])}" for row in rows if row["problem"])])


def _problem_lines(problem: Mapping[str, str]) -> str:
    return f"{problem['message']}\n  fix: {problem['fix']}"


def _verdict(name: str, entry: Mapping[str, Any], timeout: float, *, verbose: bool) -> dict[str, Any]:
    """Check one credential, and say what came of it."""
    about = {"name": name, "adaptor": str(entry["adaptor"])}
    asked = _Asked(lambda plugins, redactor, send: _verified(name, entry, plugins, redactor, send, verbose=verbose))
    answer = asked.answer(timeout, verbose=verbose)
    if answer is None:
        problem = {"code": "no_answer", "message": f"while {asked.doing}: {asked.ending}", "fix": asked.fix}
        answer = {"status": "failed", "says": None, "problem": problem}
    return {**about, **answer}


def _verified(
    name: str, entry: Mapping[str, Any], plugins: "Plugins", redactor: Redactor, send: "Send", *, verbose: bool
) -> dict[str, Any]:
    """Resolve, validate, connect and verify, in the child."""
    from crossdock.adaptor import Connections
    from crossdock.credentials import Credentials
    from crossdock.loading import load_adaptor

    try:
        module = load_adaptor(str(entry["adaptor"]))
        plugins.register(f"adaptor {entry['adaptor']}", module)
        send({"doing": "looking up its values"})
        connections = Connections(Credentials({name: entry}, plugins=plugins, redactor=redactor))
        send({"doing": "connecting"})
        try:
            says = connections.verify(module.adaptor, name)
        finally:
            connections.close()
    except Exception as error:  # noqa: BLE001 - an adaptor is somebody else's; what it raises is the verdict
        if verbose:
            traceback.print_exception(error)
        return _refusal(error, str(entry["adaptor"]))
    return {"status": "ok", "says": says, "problem": None}


def _refusal(error: Exception, adaptor: str) -> dict[str, Any]:
    if not isinstance(error, CrossdockError):
        message = f"{type(error).__name__}: {message_of(error)}"
        fix = f"Check the credential; if it is right, tell the makers of the adaptor {adaptor}."
        problem = {"code": "adaptor_exception", "message": message, "fix": fix}
        return {"status": "failed", "says": None, "problem": problem}
    status = "refused" if error.outcome == "refused" else "failed"
    return {"status": status, "says": None, "problem": _problem(error)}


def _line(verdict: Mapping[str, Any]) -> str:
    start = f"{verdict['name']}: {verdict['status']}, "
    if verdict["problem"] is not None:
        return start + _problem_lines(verdict["problem"])
    return f"{start}{verdict['adaptor']} {verdict['says'] or 'connects; it does not tell as whom'}"
