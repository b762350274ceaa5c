"""AdaptorContract: what every adaptor keeps to, one test for each rule."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import pytest

from crossdock.errors import CrossdockError, PluginError, StateEncodingError
from crossdock.installed import installed
from crossdock.lazy import Lazy
from crossdock.loading import ADAPTORS, find_adaptor, load_adaptor
from crossdock.operation import Operation
from crossdock.redaction import looks_secret
from crossdock.secret_fields import declared_public
from crossdock.state import State, encode
from crossdock.testing.canary import Canary
from crossdock.testing.documented import documented, example_report, lazily
from crossdock.testing.http_system import HttpSystem
from crossdock.testing.importing import imports_of, requirements_of
from crossdock.testing.places import Address
from crossdock.testing.source import error_classes, fields_read
from crossdock.testing.subject import Subject
from crossdock.testing.watching import left_open, open_descriptors, reaching

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHOWN_ITEMS = 100
"""How many items of a result that is walked are looked at."""


class AdaptorContract(Subject):
    """What every adaptor keeps to, one test for each rule; a subclass in a test file names the adaptor.

    The calls that are tried are those of the examples in the documentation of the operations. An adaptor whose
    configuration has a ``base_url`` talks to a local HTTP system that answers everything with ``answers``. Another
    one overrides the fixture ``credential``, and gives what leads to a real system.

    Example:
        >>> class TestContract(AdaptorContract):
        ...     adaptor = "acme"
        ...     configuration = {"base_url": "https://acme.example.org", "token": "any-token"}
    """

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try the rules that are about an operation on each of them."""
        if "operation" in metafunc.fixturenames:
            metafunc.parametrize("operation", sorted(self._operations()))

    @pytest.fixture
    def credential(self, request: pytest.FixtureRequest, http_system: HttpSystem) -> dict[str, Any]:
        """Give a credential that leads to a system of the test."""
        operation = request.node.callspec.params.get("operation") if hasattr(request.node, "callspec") else None
        entry = {"adaptor": self.adaptor, **self.configuration}
        if not self._has("base_url"):
            return entry
        http_system.on("*", re.compile(".*")).answer(self.answers.get(operation or "", {}))
        return {**entry, "base_url": http_system.url}

    @pytest.fixture
    def unreachable(self, closed_port: Address, credential: dict[str, Any]) -> dict[str, Any]:
        """Give a credential that leads to a place where nobody is."""
        if self._has("base_url"):
            return {**credential, "base_url": closed_port.url}
        if self._has("host", "port"):
            return {**credential, "host": closed_port.host, "port": closed_port.port}
        pytest.skip("override the fixture 'unreachable': give a credential that leads to a place where nobody is")

    def test_the_entry_point_leads_to_an_adaptor_for_this_version(self) -> None:
        """Its name is found, its module holds the adaptor, and its distribution says which crossdock it needs."""
        try:
            load_adaptor(self.adaptor)
        except PluginError as error:
            _broken(error.message, where=f"the entry point {self.adaptor}", fix=error.fix)
        found = find_adaptor(self.adaptor, installed(ADAPTORS))
        if not re.search(r"[<>=~]", requirements_of(found).get("crossdock", "")):
            _broken(
                "it does not say which versions of crossdock it works with",
                where=f"the distribution {found}",
                fix='Add to its dependencies: "crossdock>=0.1,<0.2".',
            )

    def test_importing_it_does_nothing_else_and_costs_little(self, tmp_path: Path) -> None:
        """Nothing is printed, reached for or replaced, and no tool, other adaptor or large library is imported."""
        found = find_adaptor(self.adaptor, installed(ADAPTORS))
        imported = imports_of(found, tmp_path)
        if imported.printed or imported.reached:
            done = " and ".join({*imported.reached, *(["some output"] if imported.printed else [])})
            _broken(f"importing it makes {done}", where=found.module, fix="Do it in connect, or in an operation.")
        if imported.replaced:
            _broken(
                f"importing it replaces {', '.join(imported.replaced)}",
                where=found.module,
                fix="Leave it as it is: other adaptors use it too.",
            )
        if heavy := sorted(imported.heavy - self.may_import):
            _broken(
                f"importing it imports {', '.join(heavy)}",
                where=found.module,
                fix="Import that in the function that needs it.",
            )

    def test_an_operation_has_a_good_name(self, operation: str) -> None:
        """It is written as Python writes functions, and stands in ``__all__``."""
        if not _NAME.fullmatch(operation):
            _broken("its name is not in small letters", where=self._place(operation), fix="Write it like_this.")
        if operation not in getattr(self._module, "__all__", ()) or not callable(
            getattr(self._module, operation, None)
        ):
            _broken(
                f"{self._module.__name__} does not export it",
                where=self._place(operation),
                fix="Import it there, and add it to __all__.",
            )

    def test_an_operation_has_docs(self, operation: str) -> None:
        """Its docstring begins with one sentence that says what it does."""
        if not self._declaration(operation).doc.split("\n\n")[0].strip().endswith("."):
            _broken(
                "it has no docstring that begins with a sentence",
                where=self._place(operation),
                fix="Say what it does in one sentence: Register a person.",
            )

    def test_an_operation_has_an_example_that_runs(self, operation: str) -> None:
        """The example in its docstring runs as it stands, and builds it."""
        declaration = self._declaration(operation)
        wrong = example_report(declaration) or ("" if documented(declaration) else "it builds no such operation")
        if wrong:
            _broken(
                f"its example does not hold: {wrong}",
                where=self._place(operation),
                fix=f"Add to its docstring, under Example: >>> {operation}(…)",
            )

    def test_an_operation_says_whether_it_writes(self, operation: str) -> None:
        """It has an effect, or a dry run would call what writes."""
        effect = self._declaration(operation).effect
        if effect not in ("read", "write") and not callable(effect):
            _broken(
                "it does not say whether it reads or writes",
                where=self._place(operation),
                fix='Write @adaptor.operation(effect="read") or effect="write".',
            )

    def test_building_an_operation_reaches_for_nothing(self, operation: str) -> None:
        """A job is built long before it runs, and often it never runs."""
        self._any_call(operation)  # what it imports on the way is imported now
        with reaching() as seen:
            self._any_call(operation)
            self._lazily(operation)
        if seen:
            _broken(
                f"building it makes {', '.join(sorted(set(seen)))}",
                where=self._place(operation),
                fix="Do that when it runs: inside the function that @adaptor.operation decorates.",
            )

    def test_every_argument_may_be_lazy(self, operation: str) -> None:
        """Lazy paths are accepted when it is built, and are values when it runs."""
        plain = self._any_call(operation)
        try:
            built, state = lazily(getattr(self._module, operation), plain)
            got = _resolved(built, state)
        except Exception as error:  # noqa: BLE001 - whatever it is, it was built from what is allowed
            _broken(
                f"it is not built from lazy paths: {type(error).__name__}: {error}",
                where=self._place(operation),
                fix="Look at arguments inside the function that @adaptor.operation decorates.",
            )
        unequal = [
            parameter.name
            for parameter, given, wanted in zip(plain.declaration.parameters, got, _resolved(plain, state), strict=True)
            if isinstance(given, Lazy) or given != wanted
        ]
        if unequal:
            _broken(
                f"{', '.join(unequal)} stays lazy when it runs",
                where=self._place(operation),
                fix="Annotate it with the type of its value: Callable and Operation are passed on untouched.",
            )

    def test_an_operation_leaves_its_state_as_it_was(self, operation: str, credential: dict[str, Any]) -> None:
        """What it received is shared with other operations, and so are its arguments."""
        performed, given = self._lazily(operation)
        changed: list[str] = []

        def watch(state: State) -> Any:
            before = {key: encode({"": value}) for key, value in _parts(state).items()}
            try:
                return state.result(_walked(performed(state)))
            finally:
                changed.extend(key for key, value in _parts(state).items() if encode({"": value}) != before.get(key))

        self._run(watch, credential, given)
        if changed:
            _broken(
                f"it changes {', '.join(changed)} of the state that it was given",
                where=self._place(operation),
                fix="Make a new value: {**record, 'key': value}.",
            )

    def test_what_an_operation_gives_is_json(self, operation: str, credential: dict[str, Any]) -> None:
        """Its result, or each item of one that is walked, passes the strict encoder."""
        performed = self._any_call(operation)
        run = self._run(lambda state: state.result(_walked(performed(state))), credential)
        if isinstance(run.error, StateEncodingError):
            _broken(
                run.error.message,
                where=self._place(operation),
                fix="Turn it into text, numbers, lists and dicts before state.result(…).",
            )
        if run.outcome not in ("success", "partial"):
            pytest.skip(f"{run!r}; give answers = {{{operation!r}: …}}, calls or files, so that it succeeds")

    def test_no_secret_is_shown(
        self,
        operation: str,
        credential: dict[str, Any],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """A secret is in no text, log, error or state, whether it goes well or not."""
        caplog.set_level("DEBUG")
        canary = Canary()
        secret = _with_canary(credential, self._model, canary)
        capfd.readouterr()
        held: list[Any] = []
        run = self._run(self._any_call(operation), secret, held=held)
        logged = [record for record in caplog.records if record.name != "werkzeug"]
        error = run.error
        texts: dict[str, list[Any]] = {
            "its error": [str(error), repr(error), getattr(error, "details", ""), getattr(error, "__notes__", "")],
            "its final state": [dict(run.state)],
            "the log": [caplog.handler.format(record) for record in logged],
            "the output": list(capfd.readouterr()),
            "the configuration": [self._configured(secret)],
            "the connection": [resource for _, resource in held],
        }
        seen = canary.seen({place: "\n".join(map(_shown, found)).encode() for place, found in texts.items()})
        if seen:
            _broken(
                f"a secret of the credential is shown: {'; '.join(map(str, seen))}",
                where=self._place(operation),
                fix="Declare the field as SecretStr, and leave the value out of messages and logs.",
            )

    def test_the_configuration_is_declared_and_described(self) -> None:
        """Every field has a description, the example is valid, and what is read is declared."""
        if self._model is None:
            return
        place = f"{self._model.__module__}.{self._model.__name__}"
        bare = [name for name, field in self._model.model_fields.items() if not field.description]
        if bare:
            _broken(
                f"{', '.join(bare)} has no description", where=place, fix='Write Field(description="What it is for.").'
            )
        known = {*dir(self._model), *self._model.model_fields}
        if unknown := [f"{name} ({line})" for name, line in fields_read(self._module) if name not in known]:
            _broken(f"what is read is not declared: {', '.join(unknown)}", where=place, fix="Declare it as a field.")

    def test_every_connection_is_closed(
        self, operation: str, credential: dict[str, Any], unreachable: dict[str, Any]
    ) -> None:
        """Nothing stays open when a run ended, be it well, with a failure, or without a system."""

        def fail(_: State) -> NoReturn:
            raise ValueError("on purpose")

        performed = self._any_call(operation)
        for way, steps, entry in (
            ("well", (performed,), credential),
            ("with a failure", (performed, fail), credential),
            ("without a system", (performed,), unreachable),
        ):
            held: list[Any] = []
            before = open_descriptors()
            self._run(partial(_performed, steps), entry, held=held, reachable=entry is credential)
            if left_open(before):
                _broken(
                    f"a run that ended {way} leaves a connection open",
                    where=f"connect of {self.adaptor}, after {self._place(operation)}",
                    fix="Close it in a finally of connect, or when its context manager ends.",
                )

    def test_every_error_has_a_code_and_a_fix(self) -> None:
        """Each error class of the package comes from CrossdockError, and says what it is and what to do."""
        for error in error_classes(self._module):
            place = f"{error.__module__}.{error.__qualname__}"
            if not issubclass(error, CrossdockError):
                _broken("it is no CrossdockError", where=place, fix="Derive it from AdaptorError.")
            if not any("code" in vars(part) for part in error.__mro__ if not part.__module__.startswith("crossdock.")):
                _broken("it has no code of its own", where=place, fix='Give it: code = "…".')
            if error.fix == CrossdockError.fix:
                _broken("it does not say what to do", where=place, fix='Give it: fix = "…".')

    def test_a_failure_is_an_error_of_crossdock(self, operation: str, unreachable: dict[str, Any]) -> None:
        """Where nobody answers, no error of a library comes through."""
        run = self._run(self._any_call(operation), unreachable, reachable=False)
        if run.error is not None and not isinstance(run.error, CrossdockError):
            _broken(
                f"where no system is, it raises {type(run.error).__module__}.{type(run.error).__qualname__}",
                where=self._place(operation),
                fix="Raise an AdaptorError from it, with a fix.",
            )


def _broken(what: str, *, where: str, fix: str) -> NoReturn:
    pytest.fail(f"{where}: {what}\n  fix: {fix}", pytrace=False)


def _resolved(operation: Operation, state: State) -> tuple[Any, ...]:
    return operation.declaration.resolve(operation.arguments, state)


def _parts(state: State) -> dict[str, Any]:
    """Give what a message names: the keys of the state, and those of its data."""
    data = state.get("data")
    inner = {f"data[{key!r}]": value for key, value in data.items()} if isinstance(data, dict) else {}
    return {**{key: value for key, value in state.items() if key != "data" or not inner}, **inner}


def _walked(state: State) -> Any:
    """Give the result of an operation as a value: some items of one that is walked."""
    data = state.get("data")
    return list(islice(data, _SHOWN_ITEMS)) if isinstance(data, Iterator) else data


def _performed(steps: tuple[Callable[[State], Any], ...], state: State) -> Any:
    for step in steps:
        state = state.result(_walked(step(state)))
    return state


def _with_canary(credential: Mapping[str, Any], model: Any, canary: Canary) -> dict[str, Any]:
    """Put the canary wherever a credential holds a secret."""
    fields = {} if model is None else model.model_fields
    secret = {name for name, field in fields.items() if "Secret" in str(field.annotation) or looks_secret(name)}
    secret -= declared_public(model)
    return {
        name: canary.secret if name in secret and isinstance(value, str) else value
        for name, value in credential.items()
    }


def _shown(value: Any) -> str:
    return f"{value!s}\n{value!r}"
