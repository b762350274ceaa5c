"""group_by and batches: C28 and C36."""

import pytest
from crossdock import JobError, batches, group_by, state
from crossdock.errors import ArgumentError, LazyError


def test_c28_items_are_grouped_by_a_key_a_path_or_a_function():
    items = [{"x": "a"}, {"x": "b"}, {"x": "b"}]
    nested = [{"y": {"z": 1}}, {"y": {"z": 2}}, {"y": {"z": 1}}]

    assert group_by(items, "x") == {"a": [{"x": "a"}], "b": [{"x": "b"}, {"x": "b"}]}
    assert group_by(nested, "y.z") == {1: [nested[0], nested[2]], 2: [nested[1]]}
    assert group_by([3, 4, 5], lambda number: number % 2) == {1: [3, 5], 0: [4]}


def test_c28_an_item_without_the_key_is_in_no_group():
    assert group_by([{"x": 1}, {"x": None}, {}], "nope") == group_by(None, "x") == {}
    assert group_by([{"x": None}, {"x": 0}, {"x": ""}], "x") == {0: [{"x": 0}], "": [{"x": ""}]}


def test_what_can_not_name_a_group_is_an_error():
    with pytest.raises(JobError, match=r"a list can't name a group") as caught:
        group_by([{"x": ["Amina"]}], "x")

    assert caught.value.code == "BAD_KEY"


def test_c36_batches_of_a_size():
    assert list(batches([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(batches(None, 2)) == list(batches([], 2)) == []


@pytest.mark.parametrize("size", [0, -1])
def test_c36_a_size_below_one_is_an_error_at_once(size):
    with pytest.raises(ArgumentError, match=rf"batches\(\) got size={size}"):
        batches([1], size)


def test_batches_draw_no_item_before_it_is_needed():
    drawn = []

    def source():
        for number in range(1_000_000_000):
            drawn.append(number)
            yield number

    assert next(batches(source(), 3)) == [0, 1, 2]
    assert drawn == [0, 1, 2]


@pytest.mark.parametrize("items", [{"a": 1}, "text", b"bytes", 5])
@pytest.mark.parametrize("function", [lambda items: batches(items, 2), lambda items: group_by(items, "x")])
def test_what_is_no_list_of_items_is_an_error(function, items):
    with pytest.raises(ArgumentError, match=f"of type {type(items).__name__} for its items"):
        function(items)


def test_a_lazy_path_is_refused():
    with pytest.raises(LazyError, match="lazy path"):
        batches(state.data, 2)
