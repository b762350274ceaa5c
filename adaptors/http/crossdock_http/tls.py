"""The TLS of a system: whom it is trusted by, and who one is oneself."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile

from crossdock.errors import CredentialError

from crossdock_http.configuration import HttpConfiguration
from crossdock_http.library import httpx

_PEM = "-----BEGIN "


def tls_context(configuration: HttpConfiguration) -> ssl.SSLContext:
    """Make the TLS context of a credential: TLS 1.2 at least, certificates checked unless it says otherwise."""
    known = configuration
    if known.ca is not None and known.verify:
        context = _trusting(known.ca)
    else:
        context = httpx.create_ssl_context(verify=known.verify, trust_env=known.trust_env)
    if known.cert is not None and known.key is not None:
        _identify(context, known.cert, known.key.get_secret_value())
    return context


def _trusting(ca: str) -> ssl.SSLContext:
    """Make a context that trusts one authority and no other.

    Args:
        ca: Its certificate: a PEM file or PEM text.
    """
    with _told("ca" if _PEM in ca else f"ca {ca!r:.200}"):
        return ssl.create_default_context(cadata=ca) if _PEM in ca else ssl.create_default_context(cafile=ca)


def _identify(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Make a context present a certificate of one's own.

    Args:
        context: The context.
        cert: The certificate: a PEM file or PEM text.
        key: Its key: a PEM file or PEM text.
    """
    with _told("cert and key"), _file(cert) as cert_file, _file(key) as key_file:
        context.load_cert_chain(cert_file, key_file, password="")


@contextmanager
def _file(pem: str) -> Iterator[str]:
    """Give the file of a PEM; ssl reads keys from files only, so text becomes one for a moment."""
    if _PEM not in pem:
        yield pem
        return
    with NamedTemporaryFile("w", suffix=".pem") as file:  # readable for its owner alone
        file.write(pem)
        file.flush()
        yield file.name


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "it is no PEM"
        raise CredentialError(
            f"{what} of the credential can't be used: {reason}", fix="Give PEM text, or the path of a PEM file."
        ) from None
