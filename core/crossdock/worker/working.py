"""The child of a served run: it loads the workflow, runs what is left of it, and reports each step.

Before each step it waits until its owner has written down how the one before it ended; so a step whose
end was written down is never run again, and at most one has to be repeated.
"""

import io
import logging
import os
import pickle
import resource
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from crossdock.credentials import resolved
from crossdock.decoding import decode
from crossdock.error_record import error_record
from crossdock.errors import CrossdockError
from crossdock.otel import is_for_runs
from crossdock.plugins import Plugins, hookimpl
from crossdock.redaction import Redactor
from crossdock.retrying import retried_steps
from crossdock.run import Run
from crossdock.sealed import Sealed
from crossdock.state import State, encode
from crossdock.walk import GONE_WELL, Ended
from crossdock.worker.child import Send
from crossdock.worker.received import state_of
from crossdock.workflow import Step

if TYPE_CHECKING:
    from crossdock.operation import Operation
    from crossdock.project.project import Project
    from crossdock.store.records import Claimed, StepEnd

ALWAYS_SEEN = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables of the environment that every run sees."""

MEGABYTE = 1024 * 1024
MOST_FILES = 1024
"""How many files and sockets a run may hold open; what every system allows."""

WRITTEN_DOWN = b"k"
"""What the owner answers when it has written down how a step ended."""


class Work:
    """What a child does: run what its owner claimed, or check everything that could be run.

    It is made before there is a child, so that children find ready what is the same for all of them.

    Args:
        project: The project.
        plugins: The plugins that are installed, and the adaptors that are known to be used.
    """

    def __init__(self, project: "Project", plugins: Plugins) -> None:
        self._project = project
        self._plugins = plugins
        self._progress = Progress()
        plugins.register("crossdock", self._progress)
        _log_to(self._progress)

    def __call__(self, send: Send, channel: int) -> None:
        """Do what the owner says.

        Args:
            send: Hands a JSON object to the owner.
            channel: Where the owner's order comes from, and its answers.
        """
        owner: BinaryIO = io.BufferedReader(io.FileIO(channel, closefd=False))
        claimed: Claimed | None = pickle.load(owner)  # noqa: S301 - it comes from the owner
        self._progress.begin(send, owner)
        redactor = Redactor()
        redactor.tell = lambda secret: send({"secret": secret})
        if claimed is None:
            send({"faults": _faults(self._project, self._plugins, redactor)})
        else:
            send(self._done(claimed, redactor))

    def _done(self, claimed: "Claimed", redactor: Redactor) -> dict[str, Any]:
        """Run what was claimed, and say how it ended."""
        project = self._project
        try:
            run = _prepared(project, claimed, self._plugins, redactor, self._progress)
            run.execute()
        except CrossdockError as error:
            return {"refused": error_record(error)}
        return {"finished": finished(run, project.definition(claimed.workflow).limits.output_mb)}


def _prepared(
    project: "Project", claimed: "Claimed", plugins: Plugins, redactor: Redactor, progress: "Progress"
) -> Run:
    """Load what is to be run, in an environment that holds what it may see."""
    definition = project.definition(claimed.workflow)
    credentials = resolved(project.credentials_of(claimed.workflow), plugins=plugins, redactor=redactor)
    _hide_environment(project.serve.env)
    _limit(definition.limits.memory_mb)
    workflow = project.workflow(claimed.workflow)
    if claimed.failed:
        workflow = retried_steps(workflow, claimed.failed, f"the run {claimed.retry_of}")
    _register_adaptors(plugins)
    run = Run(
        workflow,
        state_of(project, claimed),
        credentials=credentials,
        unlisted=project.unlisted(claimed.workflow),
        plugins=plugins,
        redactor=redactor,
        now=claimed.first_started_at,
        size_limit=definition.limits.state_bytes,
        kept=_kept(claimed.steps),
        parallel=definition.parallel,
        settings=project.settings,
        allows=project.adaptors.allows,
        key=f"{claimed.message.id} {claimed.workflow}",
    )
    run.on_checkpoint = progress.checkpoint
    run.traceparent = claimed.message.traceparent
    return run


def limit_memory(memory_mb: int) -> None:
    """Let this process take no more memory than that."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * MEGABYTE, resource.RLIM_INFINITY))


def _limit(memory_mb: int) -> None:
    """Limit what the run may take: its memory, and how many files and sockets it may hold open."""
    limit_memory(memory_mb)
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(usual, MOST_FILES), most))


def _register_adaptors(plugins: Plugins) -> None:
    from crossdock import adaptors

    for name, module in adaptors.opened.items():
        plugins.register(f"adaptor {name}", module)


def _hide_environment(seen: Iterable[str]) -> None:
    """Take from the environment what the run is not to see, such as the secrets of others."""
    left = {*ALWAYS_SEEN, *seen}
    for name in [*os.environ]:
        if name not in left and not is_for_runs(name):
            del os.environ[name]


def _kept(steps: Iterable["StepEnd"]) -> list[Ended]:
    return [
        Ended(end.step, end.outcome, _sealed(decode(end.output)), _sealed(end.written), seconds=end.seconds)
        for end in steps
        if end.output is not None
    ]


def _sealed(kept: Mapping[str, Any]) -> Sealed:
    return Sealed.of(State(kept))


def _faults(project: "Project", plugins: Plugins, redactor: Redactor) -> list[dict[str, Any]]:
    """Find what keeps workflows from being run: jobs that can't be loaded, credentials that are missing."""
    found = list[dict[str, Any]]()
    for name in (*project.workflow_names, *project.posts):
        try:
            credentials = resolved(project.credentials_of(name), plugins=plugins, redactor=redactor)
            workflow = project.workflow(name)
            _register_adaptors(plugins)
            unlisted, settings = project.unlisted(name), project.settings
            Run(
                workflow,
                credentials=credentials,
                unlisted=unlisted,
                plugins=plugins,
                redactor=redactor,
                settings=settings,
                allows=project.adaptors.allows,
            ).check()
        except CrossdockError as error:
            notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith("fix: ")]
            said = "; ".join((error.message, *notes))  # a note has the file and the line
            found.append({"workflow": name, "message": said, "fix": error.fix})
    return found


class Progress:
    """A plugin that tells the owner how the run goes on, once it knows who that is."""

    tell: Send
    """Hands a JSON object to the owner."""

    def __init__(self) -> None:
        self._owner: BinaryIO
        self._unwritten = 0
        self._asking = threading.Lock()  # steps that run at the same time start and end at the same time

    def begin(self, tell: Send, owner: BinaryIO) -> None:
        """Get to know the owner.

        Args:
            tell: Hands a JSON object to it.
            owner: Where its answers come from.
        """
        self.tell, self._owner = tell, owner

    @hookimpl
    def crossdock_step_started(self, step: Step) -> None:
        """Wait until it is written down how the steps before it ended."""
        with self._asking:
            self.tell({"step": step.name, "seconds": step.seconds})
            number, self._unwritten = self._unwritten, 0
            if self._owner.read(number) != WRITTEN_DOWN * number:  # the owner is gone, or has lost the run
                os._exit(70)

    @hookimpl
    def crossdock_step_finished(self, ended: Ended) -> None:
        """Tell how a step ended; what the last one did is written down together with the end of the run."""
        written = ended.written.state()
        told = {
            "step": ended.step,
            "outcome": ended.outcome,
            "output": None if ended.state is None else ended.state.raw.decode(),
            "written": dict(written),
            "error_code": written.get("errors", {}).get(ended.step, {}).get("code"),
            "seconds": ended.seconds,
        }
        with self._asking:
            self.tell({"ended": told})
            self._unwritten += 1

    @hookimpl(wrapper=True)
    def crossdock_operation(self, operation: "Operation") -> Any:  # noqa: ARG002 - a hook takes what it is given
        """Leave memory to tell of it, if it is used up."""
        try:
            return (yield)
        except MemoryError:
            resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            raise

    def checkpoint(self, cursors: Mapping[str, Any]) -> None:
        """Tell of cursors whose work is committed."""
        self.tell({"checkpoint": dict(cursors)})


def finished(run: Run, most_mb: float) -> dict[str, Any]:
    """Tell how a run ended."""
    final, error = encode(run.state), run.error
    fits = len(final) <= most_mb * MEGABYTE
    if not fits:
        logging.getLogger("crossdock").warning("the final state is not kept: it has %d bytes", len(final))
    return {
        "outcome": run.outcome,
        "final": final.decode() if fits else None,
        "error": None if error is None else run.redactor.in_value(error_record(error) | _place(run, error))[0],
        "cursors": run.state.get("cursors", {}) if run.outcome in GONE_WELL else {},
        "traceparent": None if run.traceparent is None else str(run.traceparent),
    }


def _place(run: Run, error: BaseException) -> dict[str, str]:
    """Give the step in which an error came up, if it was one."""
    found = next((name for name, ended in run.walk.ended.items() if ended.error is error), None)
    return {} if found is None else {"step": found}


def _log_to(progress: Progress) -> None:
    """Let what is logged go to the log of the run."""
    logging.basicConfig(handlers=[_Telling(progress)], level=logging.WARNING, force=True)
    logging.getLogger("crossdock").setLevel(logging.INFO)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # it says in one word what we say in a line
    logging.captureWarnings(capture=True)


class _Telling(logging.Handler):
    """Hands records to the owner."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter())
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        self._progress.tell({"log": self.format(record), "level": record.levelname.lower(), "at": time.time()})
