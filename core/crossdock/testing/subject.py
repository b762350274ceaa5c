"""Subject: the adaptor that a contract is about, its operations, and runs of them."""

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, ClassVar

import pytest
import stamina

from crossdock.adaptor import Adaptor
from crossdock.declaration import Declaration
from crossdock.errors import PluginError
from crossdock.loading import load_adaptor
from crossdock.operation import Operation
from crossdock.state import State
from crossdock.testing.documented import documented, lazily
from crossdock.testing.running import JobRun, run_job
from crossdock.testing.watching import holding


class Subject:
    """The adaptor that a contract is about, its operations, and runs of them."""

    adaptor: ClassVar[str]
    """The name of the adaptor."""
    configuration: ClassVar[Mapping[str, Any]] = {}
    """A valid credential with every secret that the adaptor knows of, made up."""
    answers: ClassVar[Mapping[str, Any]] = {}
    """Operation → what an HTTP system answers it, as JSON or as a function of the request; by default ``{}``."""
    calls: ClassVar[Mapping[str, Operation]] = {}
    """Operation → one that was built, where the example in the documentation does not suit the system."""
    files: ClassVar[Mapping[str, bytes]] = {}
    """Name → what a file of the run holds before an operation runs, such as one that it sends."""
    may_import: ClassVar[frozenset[str]] = frozenset()
    """Large libraries that importing the adaptor may import, since no operation can do without."""

    @cached_property
    def _module(self) -> ModuleType:
        try:
            return load_adaptor(self.adaptor)
        except PluginError as error:
            pytest.skip(f"it does not load: {error.message}; {error.fix}")

    @property
    def _adaptor(self) -> Adaptor[Any, Any]:
        return self._module.adaptor  # type: ignore[no-any-return]

    @property
    def _model(self) -> Any:
        return self._adaptor.configuration

    def _has(self, *fields: str) -> bool:
        return self._model is not None and set(fields) <= set(self._model.model_fields)

    def _operations(self) -> Mapping[str, Declaration]:
        try:
            return load_adaptor(self.adaptor).adaptor.operations  # type: ignore[no-any-return]
        except PluginError:
            return {}  # the rule about the entry point says so

    def _declaration(self, operation: str) -> Declaration:
        return self._adaptor.operations[operation]

    def _place(self, operation: str) -> str:
        code = inspect.unwrap(self._declaration(operation).function).__code__
        return f"{self.adaptor}.{operation} ({code.co_filename}:{code.co_firstlineno})"

    def _any_call(self, operation: str) -> Operation:
        """Give the call of an operation that is tried: the one that the author gave, or the documented one."""
        if operation in self.calls:
            return self.calls[operation]
        built = documented(self._declaration(operation))
        if not built:
            pytest.skip(f"no example builds {operation}: add one to its docstring, under Example: >>> {operation}(…)")
        return built[0]

    def _lazily(self, operation: str) -> tuple[Any, State]:
        plain = self._any_call(operation)
        try:
            return lazily(getattr(self._module, operation), plain)
        except Exception:  # noqa: BLE001 - the rule about lazy arguments says so
            return plain, State(data=None)

    def _run(
        self,
        operation: Callable[[State], Any],
        credential: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        held: list[Any] | None = None,
        *,
        reachable: bool = True,
    ) -> JobRun:
        """Run an operation; where the system can't be reached, it is tried twice and nobody waits in between."""
        adaptor, connect = self._adaptor, self._adaptor.connect
        if connect is not None:
            adaptor.connect = holding(connect, [] if held is None else held)
        try:
            with TemporaryDirectory() as folder, stamina.set_testing(not reachable, attempts=2):
                for name, content in self.files.items():
                    (Path(folder) / name).write_bytes(content)
                return run_job(operation, state=state, credentials={self.adaptor: credential}, files=Path(folder))
        finally:
            adaptor.connect = connect

    def _configured(self, credential: Mapping[str, Any]) -> Any:
        fields = {name: value for name, value in credential.items() if name != "adaptor"}
        return None if self._model is None else self._model.model_validate(fields)
