"""Servers that speak TLS, with certificates of an authority of the test's own."""

import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trustme
from pytest_httpserver import HTTPServer

TlsServer = Callable[..., HTTPServer]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The authority that signs the servers' and clients' certificates."""
    return trustme.CA()


@pytest.fixture
def ca_pem(authority: trustme.CA) -> str:
    """Its certificate as PEM text."""
    return authority.cert_pem.bytes().decode()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[TlsServer]:
    """Start a server that says "secret" to everybody, or only to who has a certificate; at most of a TLS version."""
    with ExitStack() as servers:

        def start(
            certificate: trustme.LeafCert | trustme.CA | None = None,
            *,
            clients: trustme.CA | None = None,
            newest: ssl.TLSVersion | None = None,
        ) -> HTTPServer:
            context = _context(certificate or authority.issue_cert("localhost"), clients, newest)
            server = servers.enter_context(HTTPServer(ssl_context=context))
            server.expect_request("/x").respond_with_json("secret")
            return server

        yield start


def _context(
    certificate: trustme.LeafCert | trustme.CA, clients: trustme.CA | None, newest: ssl.TLSVersion | None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _identify(context, certificate)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the test wants what is deprecated
            context.minimum_version = context.maximum_version = newest
    return context


def _identify(context: ssl.SSLContext, certificate: trustme.LeafCert | trustme.CA) -> None:
    if isinstance(certificate, trustme.LeafCert):
        certificate.configure_cert(context)
        return
    with certificate.cert_pem.tempfile() as cert, certificate.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
