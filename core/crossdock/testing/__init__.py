"""What proves jobs and adaptors on the real thing.

In pytest, the fixtures ``run_job``, ``http_system``, ``postgres``, ``cassette``, ``canary_sweep``,
``frozen_clock``, ``faulty_server``, ``tcp_proxy``, ``closed_port`` and ``deaf_port`` are there as soon
as crossdock is installed. The classes behind them work anywhere, in a ``with`` block.
"""

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

__all__ = [
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
