"""Operation: building, running, what may come out, and operations that were never run."""

import asyncio
import inspect

import pytest
from crossdock import Adaptor, AdaptorError, Job, JobError, State, adaptors, operation, set_data, state, tap
from crossdock.errors import AdaptorDefinitionError, ArgumentError, WrongReturnError
from crossdock.loading import load_adaptor
from crossdock.operation import NeverRunWarning


@operation
def add(state, number, *more, times=1, **named):
    """Add numbers."""
    return state.result((state.data + number + sum(more)) * times)


def test_a_builder_has_the_signature_without_the_state():
    assert str(inspect.signature(add)) == "(number, *more, times=1, **named)"
    assert add.__doc__ == "Add numbers."
    assert add(1, 2, times=3)(State(data=0)).data == 9


def test_x07_an_unknown_option_is_refused_by_name():
    @operation
    def get(state, path, *, query=None):
        return state

    with pytest.raises(TypeError, match="get has no option 'querry'; its options are: path, query"):
        _ = get("/x", querry={})
    with pytest.raises(TypeError, match="get needs path"):
        _ = get()


def test_repr_shows_lazy_paths_and_only_the_size_of_values():
    built = add("secret", state.data["id"], times={"phone": "0700", "id": state.data})

    assert repr(built) == "add(<str 6>, state.data['id'], times={'phone': <str 4>, 'id': state.data})"
    assert repr(set_data(len)) == "set_data(len)"


def test_an_operation_knows_its_line():
    built = add(1)

    assert str(built.site).endswith(f"test_operation.py:{inspect.currentframe().f_lineno - 2}")
    assert built.site.text == "built = add(1)"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "returned None"),
        (42, "type int"),
        ("x", "type str"),
        ([1], "type list"),
        (dict, "the class dict"),
        (state.data, "a lazy path"),
    ],
)
def test_rt_01_and_02_something_else_than_a_state_is_an_error(returned, said):
    def broken(state):
        return returned

    with pytest.raises(WrongReturnError) as caught:
        Job(broken)(State())

    assert said in caught.value.message
    assert "broken" in caught.value.message
    assert "test_operation.py:" in caught.value.message
    assert "state" in caught.value.fix


def test_rt_02_an_empty_dict_is_a_state():
    assert Job(lambda state: {})(State(data=1)) == {}


def test_a_coroutine_and_a_generator_are_closed_before_the_error():
    async def wait():
        await asyncio.sleep(0)

    closed = []

    def generate():
        try:
            yield 1
        finally:
            closed.append(True)

    def started(state):
        generator = generate()
        next(generator)
        return generator

    with pytest.raises(WrongReturnError, match="coroutine"):
        Job(lambda state: wait())(State())
    with pytest.raises(WrongReturnError, match="generator"):
        Job(started)(State())
    assert closed == [True]


def test_a_function_may_return_an_operation_or_a_job():
    job = Job(lambda state: Job(add(1), lambda state: add(2)))

    assert job(State(data=0)).data == 3


@pytest.mark.parametrize("wrong", [add, dict, 42, None, state.data])
def test_what_is_no_operation_is_refused_when_the_job_is_built(wrong):
    with pytest.raises(ArgumentError, match="operation 2 of the job"):
        Job(set_data(1), wrong)


def test_an_async_function_is_refused():
    async def fetch(state):
        return state

    with pytest.raises(ArgumentError, match="async"):
        Job(fetch)


def test_result_runs_on_the_state_that_the_function_received():
    def double(state):
        return state.replace(doubled=add(state.data).result())

    assert Job(set_data(4), double)(State()) == {"data": 4, "doubled": 8}


def test_result_works_in_argument_functions():
    assert set_data(lambda s: add(1).result())(State(data=1)).data == 2


def test_calling_an_operation_leaves_the_state_as_it_was():
    before = State(data=1)

    after = add(1)(before)

    assert (before.data, after.data) == (1, 2)


def test_into_keeps_the_result_and_leaves_data():
    assert add(1).into("sum")(State(data=1)) == {"data": 1, "sum": 2}
    assert set_data(5).into("five")(State()) == {"five": 5}


@pytest.mark.parametrize("name", ["data", "errors", "items", "replace", "configuration"])
def test_into_refuses_names_that_belong_to_the_state(name):
    with pytest.raises(ArgumentError, match=name):
        _ = set_data(1).into(name)


def test_catch_gives_the_error_and_the_state_that_the_operation_received():
    def refuse(state):
        raise JobError("NO", "no")

    job = Job(set_data(1), Job(set_data(2), refuse).catch(lambda error, state: state.replace(code=error.code)))

    assert job(State()) == {"data": 1, "code": "NO"}


def test_a_handler_may_return_an_operation_or_raise_again():
    def refuse(state):
        raise JobError("NO", "no")

    def again(error, state):
        raise error

    assert Job(refuse).catch(lambda error, state: set_data(error.code))(State()).data == "NO"
    with pytest.raises(JobError):
        Job(refuse).catch(again)(State())


def test_retry_repeats_after_the_first_try(caplog):
    tries = []

    def flaky(state):
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return state.result(len(tries))

    with caplog.at_level("INFO", "crossdock"):
        assert Job(flaky).retry(2, wait=0.001)(State()).data == 3
    assert caplog.text.count("Job(flaky) failed and is tried again: OSError: not yet") == 2
    tries.clear()
    with pytest.raises(OSError, match="not yet"):
        Job(flaky).retry(1, wait=0.001)(State())


@pytest.mark.parametrize(("transient", "tries"), [(True, 3), (False, 1)])
def test_retry_repeats_a_systems_refusal_only_if_it_may_pass(transient, tries):
    made = []

    def ask(state):
        made.append(1)
        raise AdaptorError("no", transient=transient)

    with pytest.raises(AdaptorError):
        Job(ask).retry(2, wait=0.001)(State())
    assert len(made) == tries


def test_retry_does_not_repeat_a_broken_job():
    tries = []

    def broken(state):
        tries.append(1)

    with pytest.raises(WrongReturnError):
        Job(broken).retry(3, wait=0.001)(State())
    assert tries == [1]


def test_an_operation_as_a_bare_statement_is_reported_with_its_line():
    def forgetful(state):
        set_data(1)
        return state

    with pytest.warns(NeverRunWarning, match=r"test_operation\.py:\d+: set_data\(…\) is built here and never run"):
        Job(forgetful)(State())


def test_an_operation_that_is_stored_chosen_derived_from_or_handed_on_is_not_reported(recwarn):
    def careful(state):
        stored = set_data(1)
        chosen = stored if state.data else set_data(2)
        _ = chosen.into("kept")
        tap(print)
        return add(1) if chosen else stored

    with pytest.warns(NeverRunWarning) as reported:
        Job(careful)(State(data=1))

    assert [str(warning.message).split(": ")[1].split(" ")[0] for warning in reported] == ["tap(…)"]


@pytest.mark.parametrize("name", ["__import__", "import"])
def test_pl_10_names_that_can_not_be_written_are_refused(name):
    def function(state):
        return state

    function.__name__ = name
    with pytest.raises(AdaptorDefinitionError, match="can't be named"):
        operation(function)


@pytest.mark.parametrize("name", ["execute", "adaptor"])
def test_pl_10_names_that_mean_something_else_are_refused_with_the_list(name):
    def function(state):
        return state

    function.__name__ = name
    with pytest.raises(AdaptorDefinitionError, match=f"can't be named '{name}'") as raised:
        Adaptor("acme").operation()(function)
    assert raised.value.fix == "Choose another name than adaptor and execute."


def test_pl_12_nobody_else_can_change_the_operations_of_an_adaptor():
    adaptor = Adaptor("acme", renamed={"qs": "query"})
    for mapping in (adaptor.operations, adaptor.renamed, adaptors.opened):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["register"] = None


def test_pl_12_a_loaded_adaptor_takes_no_operation_of_others():
    http = load_adaptor("http").adaptor
    before = {**http.operations}

    with pytest.raises(AdaptorDefinitionError, match="'http' is loaded and takes no more operations, such as 'steal'"):

        @http.operation(effect="read")
        def steal(state):
            return state

    assert http.operations == before


def test_pl_10_an_adaptor_has_each_operation_once():
    adaptor = Adaptor("twice")

    def register(state):
        return state

    adaptor.operation()(register)
    with pytest.raises(AdaptorDefinitionError, match="two operations 'register'"):
        adaptor.operation()(register)


def test_an_operation_takes_the_state_first():
    with pytest.raises(AdaptorDefinitionError, match="does not take the state first"):

        @operation
        def wrong(path):
            return path


def test_c23_arguments_are_resolved_anew_for_each_run():
    seen = []
    built = tap(seen.append, state.data["id"])

    for number in (1, 2, 3):
        built(State(data={"id": number}))

    assert seen == [1, 2, 3]
