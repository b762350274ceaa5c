"""What proves jobs and adaptors on the real thing.

In pytest, the fixtures ``faulty_server``, ``tcp_proxy``, ``closed_port`` and ``deaf_port`` are
there as soon as crossdock is installed. The classes behind them work anywhere, in a ``with`` block.
"""

from crossdock.testing.faulty_server import FaultyServer, StartFaultyServer
from crossdock.testing.http_messages import http_reply
from crossdock.testing.places import Address, closed_port, deaf_port
from crossdock.testing.steps import Close, Drip, Forever, Reply, Reset, Stall, Step
from crossdock.testing.tcp_proxy import StartTcpProxy, TcpProxy

__all__ = [
    "Address",
    "Close",
    "Drip",
    "FaultyServer",
    "Forever",
    "Reply",
    "Reset",
    "Stall",
    "StartFaultyServer",
    "StartTcpProxy",
    "Step",
    "TcpProxy",
    "closed_port",
    "deaf_port",
    "http_reply",
]
