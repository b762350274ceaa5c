"""What proves jobs and adaptors on the real thing.

In pytest, the fixtures ``run_job``, ``http_system``, ``postgres``, ``cassette``, ``canary_sweep``,
``frozen_clock``, ``faulty_server``, ``tcp_proxy``, ``closed_port`` and ``deaf_port`` are there as soon
as crossdock is installed; ``AdaptorContract`` is a class to derive tests from. The classes behind them work anywhere, in a ``with`` block.
"""

from typing import TYPE_CHECKING, Any

from crossdock.testing.canary import Canary, CanarySweep
from crossdock.testing.cassette import Cassette
from crossdock.testing.faulty_server import FaultyServer, StartFaultyServer
from crossdock.testing.http_messages import http_reply
from crossdock.testing.http_system import HttpRequest, HttpSystem, http_system
from crossdock.testing.places import Address, closed_port, deaf_port
from crossdock.testing.postgres import Postgres
from crossdock.testing.running import FrozenClock, JobRun, RunJob, run_job
from crossdock.testing.steps import Close, Drip, Forever, Reply, Reset, Stall, Step
from crossdock.testing.tcp_proxy import StartTcpProxy, TcpProxy

if TYPE_CHECKING:
    from crossdock.testing.contract import AdaptorContract

__all__ = [
    "AdaptorContract",
    "Address",
    "Canary",
    "CanarySweep",
    "Cassette",
    "Close",
    "Drip",
    "FaultyServer",
    "Forever",
    "FrozenClock",
    "HttpRequest",
    "HttpSystem",
    "JobRun",
    "Postgres",
    "Reply",
    "Reset",
    "RunJob",
    "Stall",
    "StartFaultyServer",
    "StartTcpProxy",
    "Step",
    "TcpProxy",
    "closed_port",
    "deaf_port",
    "http_reply",
    "http_system",
    "run_job",
]


def __getattr__(name: str) -> Any:
    if name != "AdaptorContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from crossdock.testing.contract import AdaptorContract  # imported late: it needs pytest, which the rest does not

    return AdaptorContract
