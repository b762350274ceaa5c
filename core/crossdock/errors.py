"""Every error that crossdock raises.

    CrossdockError
    ├── JobError                   a business error that a job raises itself
    ├── AdaptorError               a system that an adaptor talks to refused or failed
    │   └── UnknownOutcomeError    a write may have happened, and nobody knows
    ├── StateError                 the state was used in a way that it does not allow
    │   ├── StateEncodingError     something in the state is not JSON
    │   └── StateTooLargeError     the state is over its size limit
    ├── LazyError                  a lazy path was used like a value
    ├── ArgumentError              an operation or function was given something it can't use
    │   ├── FileNameError          a name for a file of the run that is not safe
    │   └── OptionError            an operation was built with wrong options (also a TypeError)
    ├── WrongReturnError           an operation returned something else than a state
    ├── ExitedError                the job ended its process instead of returning
    ├── InterruptedRunError        the run was told to end by SIGINT before it was done
    │   └── CancelledRunError      the run was told to end by SIGTERM
    ├── TimeLimitError             the run went over its time limit
    ├── MemoryLimitError           the run needed more memory than it may have
    ├── NoRunError                 something that needs a run was used outside of one
    ├── AdaptorDefinitionError     an adaptor or an operation is declared wrongly
    ├── PluginError                a plugin or adaptor can't be used (also an ImportError)
    ├── CredentialError            a credential is missing, ambiguous or invalid
    │   └── AdaptorNotAllowedError the project does not let its jobs use an adaptor
    ├── JobLoadError               a job file can't be loaded
    ├── WorkflowError              the steps of a workflow do not fit together
    ├── ProjectError               something in a project file is wrong
    ├── EdgeError                  the condition of an edge failed
    ├── InputError                 a file or argument that the user gave can't be read
    ├── CursorFileError            the file of a job's cursors can't be used
    └── OutputError                the result can't be written

Each class has a stable ``code``, a ``message`` that says what, where and got, a ``fix`` (one
imperative sentence), ``transient`` (a retry may help) and ``outcome`` (how a run ends that
nobody saved from this error).
"""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

Outcome = Literal["success", "partial", "failed", "crashed", "killed", "unknown", "refused", "interrupted", "cancelled"]
"""How a run ended; design and documentation name the exit code of each."""

_LAST_WORD = re.compile(r"[^\s\"',;&<>]*\Z")

MAX_TEXT = 8000
"""The most characters that a message or the details of an error may hold."""


class CrossdockError(Exception):
    """The root of every error that crossdock and its adaptors raise.

    Args:
        message: What happened, where, and what was got.
        fix: What to do about it, as one imperative sentence; the class has a general one.
        details: Facts that a program can read. They are shown to people, so they hold no
            payload and no secret.
    """

    code: str = "error"
    fix: str = "Read the message and correct what it names."
    transient: bool = False
    outcome: ClassVar[Outcome] = "failed"

    def __init__(self, message: str, /, *, fix: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if fix is not None:
            self.fix = fix
        self.add_note(f"fix: {self.fix}")  # so that a plain traceback says it too

    def __str__(self) -> str:
        return printable(self.message)


class JobError(CrossdockError):
    """A business error that a job raises itself, under a code of its own.

    Args:
        code: The stable code that failure edges and reports look at.
        message: What is wrong, without personal data.
        details: Facts for whoever handles it.

    Example:
        >>> error = JobError("MISSING_FIELDS", "the referral has no sex", fields=["sex"])
        >>> error.code, error.details
        ('MISSING_FIELDS', {'fields': ['sex']})
    """

    code = "job_error"
    fix = "Correct the record that the job refused, or handle this code in the job."

    def __init__(self, code: str, message: str, /, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code


class AdaptorError(CrossdockError):
    """A system that an adaptor talks to refused or failed.

    ``answer`` is the live answer of that system where there is one, for the job to look at;
    it is never printed or stored.
    """

    code = "adaptor_error"
    fix = "Read what the system answered and correct the request or the system."
    answer: Any = None

    def __init__(
        self,
        message: str,
        /,
        *,
        fix: str | None = None,
        transient: bool | None = None,
        answer: Any = None,
        **details: Any,
    ) -> None:
        super().__init__(message, fix=fix, **details)
        self.answer = answer
        if transient is not None:
            self.transient = transient


class UnknownOutcomeError(AdaptorError):
    """A write was sent and no answer came: it may have happened."""

    code = "unknown_outcome"
    fix = "Look in the system whether the write arrived before you send it again."
    outcome = "unknown"


class StateError(CrossdockError):
    """The state was used in a way that it does not allow."""

    code = "state_error"
    fix = "Return a new state: state.replace(key=value)."


class StateEncodingError(StateError):
    """Something in the state is not JSON."""

    code = "state_not_json"
    fix = "Turn the value into text, a number, true, false, null, a list or a dict before the step ends."
    outcome = "crashed"


class StateTooLargeError(StateError):
    """The state is over its size limit."""

    code = "state_too_large"
    fix = "Drop what the next step does not need: state.without(key), or state.only(key)."
    outcome = "killed"


class LazyError(CrossdockError):
    """A lazy path was used like a value."""

    code = "lazy_misused"
    fix = "Pass a function instead: lambda state: f\"{state.data['id']}\"."
    outcome = "crashed"


class ArgumentError(CrossdockError):
    """An operation or function was given something that it can't use."""

    code = "bad_argument"
    fix = "Correct the argument that the message names."


class FileNameError(ArgumentError):
    """A name for a file of the run leads out of its folder, or to no file."""

    code = "unsafe_file"
    fix = "Give a plain name such as 'scans/7.pdf', and create=True for a new file."


class OptionError(ArgumentError, TypeError):
    """An operation was built with an option that it does not have, with too many, or without one that it needs.

    It is a TypeError too: that is what Python raises for a call with wrong arguments.
    """

    code = "wrong_option"
    fix = "Use one of its options."
    outcome = "crashed"


class WrongReturnError(CrossdockError):
    """An operation returned something else than a state."""

    code = "wrong_return"
    fix = "Return a state from it: return state, or return state.replace(…)."
    outcome = "crashed"


class ExitedError(CrossdockError):
    """The job ended its process instead of returning."""

    code = "exited"
    fix = "End a job early with stop(reason), and a failure with JobError."
    outcome = "crashed"


class InterruptedRunError(CrossdockError):
    """The run was told to end by SIGINT, which is Ctrl-C, before it was done.

    Args:
        cursors: The names of the cursors that it kept on the way.
    """

    code = "interrupted"
    fix = "Run it again, and see first whether a system without transactions got what must not come twice."
    transient = True
    outcome: ClassVar[Outcome] = "interrupted"
    signal: ClassVar[str] = "SIGINT"

    def __init__(self, cursors: Iterable[str] = ()) -> None:
        names = ", ".join(repr(name) for name in cursors)
        super().__init__(
            f"the run was told to end by {self.signal}: what it committed on the way is kept"
            + (f", with the cursors {names}" if names else "")
            + "; the rest is undone where a system can undo it, and the state is what came in"
        )


class CancelledRunError(InterruptedRunError):
    """The run was told to end by SIGTERM before it was done."""

    code = "cancelled"
    outcome = "cancelled"
    signal = "SIGTERM"


class TimeLimitError(CrossdockError):
    """The run went over its time limit."""

    code = "timeout"
    fix = "Make the job do less at a time, or allow more: --timeout SECONDS."
    outcome = "killed"


class MemoryLimitError(CrossdockError):
    """The run needed more memory than it may have."""

    code = "memory"
    fix = "Handle fewer records at a time, or allow more in the project file: limits: {memory_mb: …}."
    outcome = "killed"


class NoRunError(CrossdockError):
    """Something that needs a run was used outside of one."""

    code = "no_run"
    fix = "Use it in a job that `crossdock run` runs; in a list of operations write tap(function, …)."
    outcome = "crashed"


class AdaptorDefinitionError(CrossdockError):
    """An adaptor or an operation is declared wrongly."""

    code = "bad_definition"
    fix = "Correct the declaration that the message names."
    outcome = "refused"


class PluginError(CrossdockError, ImportError):
    """A plugin or adaptor can't be used.

    It is an ImportError too: Python shows the text of no other error that comes out of
    ``from crossdock.adaptors import …``.
    """

    code = "plugin_unusable"
    fix = "See `crossdock adaptors list` for what is installed and why it does not load."
    outcome = "refused"


class CredentialError(CrossdockError):
    """A credential is missing, ambiguous or invalid."""

    code = "credential_invalid"
    fix = "Correct the credential: --credentials FILE."
    outcome = "refused"


class AdaptorNotAllowedError(CredentialError):
    """The project does not let its jobs use an adaptor."""

    code = "adaptor_not_allowed"
    fix = "Let its jobs use it in the project file, under adaptors, or use another one."


class JobLoadError(CrossdockError):
    """A job file can't be loaded."""

    code = "job_unusable"
    fix = "Correct the job file."
    outcome = "refused"


class WorkflowError(CrossdockError):
    """The steps of a workflow do not fit together."""

    code = "bad_workflow"
    fix = "Correct the steps that the message names."
    outcome = "refused"


class ProjectError(CrossdockError):
    """Something in a project file is wrong.

    Args:
        message: What is wrong.
        faults: All of it: findings, each with its file, line, code, message and fix.
    """

    code = "bad_project"
    fix = "Correct what is listed; nothing ran."
    outcome = "refused"

    def __init__(self, message: str, /, *, fix: str | None = None, faults: Iterable[Any] = (), **details: Any) -> None:
        super().__init__(message, fix=fix, **details)
        self.faults = tuple(faults)


class EdgeError(CrossdockError):
    """The condition of an edge failed."""

    code = "edge_failed"
    fix = "Correct the condition; it is a function that takes the state."
    outcome = "crashed"


class InputError(CrossdockError):
    """A file or argument that the user gave can't be read."""

    code = "bad_input"
    fix = "Correct the file or the argument; nothing ran."
    outcome = "refused"


class CursorFileError(CrossdockError):
    """The file of a job's cursors can't be used."""

    code = "cursors_unusable"
    fix = "Correct the file or the permissions of its folder, or name another one: --cursors FILE."
    outcome = "refused"


class OutputError(CrossdockError):
    """The result can't be written."""

    code = "output_not_written"
    fix = "Make room, or name another file: --output FILE."
    outcome = "crashed"


def cut(text: str, limit: int) -> str:
    """Shorten a text to a limit, between words: a part of a secret would not be masked.

    >>> cut("token: abcdef", 10)
    'token: … (13 characters)'
    """
    if len(text) <= limit:
        return text
    return f"{_LAST_WORD.sub('', text[:limit])}… ({len(text)} characters)"


def printable(text: str, limit: int = MAX_TEXT) -> str:
    r"""Escape the control characters of a text and cut it at a limit.

    >>> printable("one\x1b[31m")
    'one\\x1b[31m'
    """
    shown = cut(text, limit)
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in shown)


def message_of(error: BaseException) -> str:
    """Give the text of any exception, also of one that can't be printed."""
    try:
        return printable(str(error))
    except Exception as failure:  # noqa: BLE001 - a foreign __str__ may raise anything
        return f"(its text can't be shown: {type(failure).__name__})"


def closest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that a misspelt one most likely means.

    >>> closest("pots", ["get", "post"])
    'post'
    """
    from difflib import get_close_matches  # imported late: only errors need it

    return next(iter(get_close_matches(name, list(known), 1)), None)
