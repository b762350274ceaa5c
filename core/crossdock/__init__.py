"""crossdock: adaptors for the systems of health and aid work, and jobs made of them."""

from crossdock.adaptor import Adaptor
from crossdock.common.data import idempotency_key, log, now, put_aside, save_cursor, set_data, warn
from crossdock.common.flow import each, require, stop, tap, when
from crossdock.common.grouping import batches, group_by
from crossdock.common.text import build_csv, csv_lines, parse_csv, stream_csv
from crossdock.common.validation import validate
from crossdock.common.xml import build_xml, find_xml, parse_xml, stream_xml
from crossdock.cursors import cursor
from crossdock.declaration import Effect
from crossdock.errors import AdaptorError, CrossdockError, JobError, UnknownOutcomeError
from crossdock.files import run_file
from crossdock.job import Job, load_job
from crossdock.lazy import computed, credentials, resolve, settings, state
from crossdock.message import Message
from crossdock.operation import Operation, operation
from crossdock.plugins import Plugins, hookimpl
from crossdock.project import read_project
from crossdock.run import Run
from crossdock.scope import in_run
from crossdock.secret_fields import Public
from crossdock.state import Answer, State
from crossdock.trace import noted
from crossdock.workflow import Each, Edge, Step, Workflow

__all__ = [
    "Adaptor",
    "AdaptorError",
    "Answer",
    "CrossdockError",
    "Each",
    "Edge",
    "Effect",
    "Job",
    "JobError",
    "Message",
    "Operation",
    "Plugins",
    "Public",
    "Run",
    "State",
    "Step",
    "UnknownOutcomeError",
    "Workflow",
    "batches",
    "build_csv",
    "build_xml",
    "computed",
    "credentials",
    "csv_lines",
    "cursor",
    "each",
    "find_xml",
    "group_by",
    "hookimpl",
    "idempotency_key",
    "in_run",
    "load_job",
    "log",
    "noted",
    "now",
    "operation",
    "parse_csv",
    "parse_xml",
    "put_aside",
    "read_project",
    "require",
    "resolve",
    "run_file",
    "save_cursor",
    "set_data",
    "settings",
    "state",
    "stop",
    "stream_csv",
    "stream_xml",
    "tap",
    "validate",
    "warn",
    "when",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("crossdock")
    raise AttributeError(f"module 'crossdock' has no attribute {name!r}")
