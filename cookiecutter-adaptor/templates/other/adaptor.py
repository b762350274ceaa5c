"""What a credential holds, how to connect, and the operations.

It works as it is with a service that answers each line with a line: put the protocol of {{ cookiecutter.system_name }} in its place.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from crossdock import Adaptor, AdaptorError, State, UnknownOutcomeError
from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Configuration(BaseModel):
    """What a credential for {{ cookiecutter.system_name }} holds."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an input may hold secrets

    host: str = Field(description="Where the service runs.")
    port: int = Field(7000, gt=0, lt=65536, description="The port that it listens on.")
    password: SecretStr | None = Field(None, description="What it wants to be told first, if anything.")
    timeout: float = Field(10.0, gt=0, description="Seconds to wait for a connection, and for each answer.")


class RefusedError(AdaptorError):
    """{{ cookiecutter.system_name }} refused something, or can't be reached."""

    code = "{{ cookiecutter.__module }}_error"
    fix = "Check host, port and password of the credential, and that the service runs."


class Session:
    """One connection; threads use it one after another."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        known = self._configuration
        with _mapped(f"no connection to {known.host}:{known.port}"):
            self._socket = socket.create_connection((known.host, known.port), timeout=known.timeout)
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\n")
        try:
            self._log_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def verify(self) -> str:
        """Ask for the version, and say where one is."""
        return f"{self._configuration.host}:{self._configuration.port}, {self.exchange('VERSION')}"

    def exchange(self, line: str, *, write: bool = False) -> str:
        """Send a line, and give the line that answers it."""
        if "\n" in line or "\r" in line:
            raise RefusedError("a line can't hold a line break", fix="Send the lines one by one.")
        with self._turn:
            answer = self._answer(line, UnknownOutcomeError if write else RefusedError)
        if answer.startswith("ERROR"):
            raise RefusedError(f"{{ cookiecutter.system_name }} refused: {answer[:200]}")
        return answer

    def _answer(self, line: str, lost: type[AdaptorError]) -> str:
        try:
            with _mapped("no answer came", lost):
                self._socket.sendall(line.encode() + b"\n")
                answer = self._lines.readline()
                if not answer.endswith("\n"):
                    raise ConnectionError
        except AdaptorError:
            self.__exit__()  # a late answer must not be taken for that to the next line
            raise
        return answer.rstrip("\n")

    def _log_in(self) -> None:
        if self._configuration.password is not None:
            self.exchange(f"LOGIN {self._configuration.password.get_secret_value()}")


@contextmanager
def _mapped(what: str, error: type[AdaptorError] = RefusedError) -> Iterator[None]:
    """Raise what sockets raise as an error of this adaptor."""
    try:
        yield
    except (OSError, ValueError) as cause:  # ValueError: a text that is not UTF-8, a connection that is closed
        raise error(f"{what}: {type(cause).__name__}") from cause


adaptor = Adaptor(
    "{{ cookiecutter.__module }}",
    configuration=Configuration,
    connect=Session,
    verify=Session.verify,
)


@adaptor.operation(effect="read")
def ask(state: State, question: str, *, credential: str | None = None) -> State:
    """Ask something, and take the answer as it is.

    Args:
        question: One line.
        credential: Which credential, where a job has several for {{ cookiecutter.system_name }}.

    Returns:
        The state with the answer, a text, in ``data``.

    Raises:
        RefusedError: {{ cookiecutter.system_name }} refuses, or there is no connection.

    Example:
        >>> ask("STOCK 17")
        {{ cookiecutter.__module }}.ask(<str 8>)
    """
    return state.result(adaptor.connection.exchange(question))


@adaptor.operation(effect="write")
def send(state: State, text: str, *, credential: str | None = None) -> State:
    """Send something that changes what {{ cookiecutter.system_name }} knows.

    Args:
        text: One line.
        credential: Which credential, where a job has several for {{ cookiecutter.system_name }}.

    Returns:
        The state with the answer, a text, in ``data``.

    Raises:
        RefusedError: {{ cookiecutter.system_name }} refuses, or there is no connection.
        UnknownOutcomeError: The text was sent, and no answer came.

    Example:
        >>> send("ADD 17 5")
        {{ cookiecutter.__module }}.send(<str 8>)
    """
    return state.result(adaptor.connection.exchange(text, write=True))