"""CSV in and out: C42 to C49, and all that real files do."""

import tracemalloc

import pytest
from crossdock import batches, build_csv, csv_lines, parse_csv, stream_csv
from crossdock.common.text import CsvError
from crossdock.errors import ArgumentError
from hypothesis import given
from hypothesis import strategies as st


def test_c42_rows_become_dicts_of_text():
    assert parse_csv("a,b,c\n1,2,3\n4,5,6\n7,8,9") == [
        {"a": "1", "b": "2", "c": "3"},
        {"a": "4", "b": "5", "c": "6"},
        {"a": "7", "b": "8", "c": "9"},
    ]


def test_c43_44_and_48_a_stream_is_read_in_batches_and_never_as_a_whole():
    """Where OpenFn's parseCsv has chunkSize and a callback, a job walks batches of a stream."""
    drawn = []

    def lines():
        yield "n\n"
        for number in range(5):
            drawn.append(number)
            yield f"{number}\n"

    walk = batches(stream_csv(lines()), 2)

    assert next(walk) == [{"n": "0"}, {"n": "1"}]
    assert drawn == [0, 1]
    assert [len(batch) for batch in walk] == [2, 1]


def test_c48_a_large_stream_needs_the_memory_of_a_row():
    tracemalloc.start()
    rows = sum(1 for _ in stream_csv(f"{number},{'x' * 100}\n" for number in range(100_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (rows, peak < 1_000_000) == (99_999, True)


@pytest.mark.parametrize(
    ("text", "line", "got"), [("a,b,c\n1,2,3,8", 2, 4), ("a,b,c\n1,2,3\n\n1,2", 4, 2), ('a,b,c\n"1\n2",2', 3, 2)]
)
def test_c45_a_ragged_row_is_named_by_its_line(text, line, got):
    with pytest.raises(CsvError, match=f"line {line} of the CSV has {got} fields, and there are 3 columns") as caught:
        parse_csv(text)

    assert caught.value.details == {"line": line}


def test_c45_the_rows_before_a_ragged_one_are_given():
    rows = stream_csv(["a,b\n", "1,2\n", "3\n"])

    assert next(rows) == {"a": "1", "b": "2"}
    with pytest.raises(CsvError, match="line 3"):
        next(rows)


def test_c46_batches_of_no_rows_are_an_error():
    with pytest.raises(ArgumentError, match="size=0"):
        batches(stream_csv(["a\n"]), 0)


def test_c47_mark_blanks_quotes_and_empty_lines():
    text = '\ufeffid , name,note\n 1,"x, ""y""" ,\n\n3,,\r\n'

    with pytest.raises(CsvError, match=r"line 2 of the CSV can't be read"):  # a blank behind a quote is no CSV
        parse_csv(text)
    assert parse_csv(text.replace('" ,', '",')) == [
        {"id": "1", "name": 'x, "y"', "note": ""},
        {"id": "3", "name": "", "note": ""},
    ]


def test_c47_blanks_stay_where_they_are_asked_to():
    assert parse_csv('a, b\n1, "x, y"') == [{"a": "1", "b": "x, y"}]
    assert parse_csv(' a ,b\n 1 ," 2 "', trim=False) == [{"a": " 1 ", "b": " 2 "}]
    assert parse_csv(' a ,b\n 1 ," 2 "') == [{"a": "1", "b": "2"}]


def test_c49_other_delimiters_and_tables_without_a_first_line():
    assert parse_csv("1;2\n3;4", delimiter=";", columns=["x", "y"]) == [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]
    assert parse_csv("a\tb\n1\t 2\n", delimiter="\t") == [{"a": "1", "b": "2"}]
    assert parse_csv("a,b\n'1,2',3", quote="'") == [{"a": "1,2", "b": "3"}]


@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n", "a,b", "a,b\n", "\ufeffa,b\r\n\r\n"])
def test_a_table_without_rows_is_an_empty_list(text):
    assert parse_csv(text) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_break_ends_a_row_and_stays_in_quotes(end):
    assert parse_csv(f'a,b{end}1,"x{end}y"{end}2,z{end}') == [{"a": "1", "b": f"x{end}y"}, {"a": "2", "b": "z"}]


def test_separators_of_unicode_do_not_end_a_row():
    assert parse_csv("a,b\n1,x\u2028y\x85z\x0bw") == [{"a": "1", "b": "x\u2028y\x85z\x0bw"}]


def test_a_carriage_return_in_a_line_is_an_error_that_names_it():
    with pytest.raises(CsvError, match=r"line 2 of the CSV can't be read"):
        list(stream_csv(["a\n", "1\r2\n"]))


@pytest.mark.parametrize("text", ['a\n"open', 'a,b\n"x"y,1', 'a\n"1""'])
def test_broken_quotes_are_an_error_that_names_the_line_and_shows_no_field(text):
    with pytest.raises(CsvError, match=r"line 2 of the CSV can't be read") as caught:
        parse_csv(text)

    assert caught.value.details == {"line": 2}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a,b,a", "the column 'a' twice"),
        ("a,,b", "a column without a name"),
        (",", "a column without a name"),
        ("a, a", "'a' twice"),
    ],
)
def test_each_column_has_one_name(header, said):
    with pytest.raises(CsvError, match=said):
        parse_csv(f"{header}\n1,2,3")


def test_a_zero_byte_is_a_character_like_others():
    assert parse_csv("a\nx\0y") == [{"a": "x\0y"}]


def test_a_field_may_be_as_large_as_a_state():
    large = "x" * 1_000_000

    assert parse_csv(f'a,b\n"{large}",1') == [{"a": large, "b": "1"}]
    with pytest.raises(CsvError, match=r"line 2 .*field larger than field limit"):
        parse_csv(f"a\n{'x' * 11_000_000}")


@pytest.mark.parametrize("options", [{"delimiter": ""}, {"delimiter": ";;"}, {"quote": "''"}, {"delimiter": None}])
def test_signs_that_can_not_be_are_an_error_at_once(options):
    with pytest.raises(ArgumentError, match="a CSV can't have"):
        stream_csv([], **options)


def test_bytes_are_refused_with_what_to_do():
    with pytest.raises(ArgumentError, match="type bytes") as caught:
        parse_csv(b"a\n1")
    assert "decode" in caught.value.fix
    with pytest.raises(ArgumentError, match="lines of type bytes"):
        list(stream_csv([b"a\n"]))


def test_rows_become_a_table():
    rows = [{"id": 7, "name": 'Amina "A", K'}, {"name": "x\ny", "id": 8.5}, {"id": None, "name": True}]

    assert build_csv(rows) == 'id,name\r\n7,"Amina ""A"", K"\r\n8.5,"x\ny"\r\n,true\r\n'
    assert build_csv(iter(rows), columns=["name", "id"], delimiter=";").startswith('name;id\r\n"Amina ""A"", K";7\r\n')


def test_dates_decimals_and_uuids_are_written_as_in_a_state():
    from datetime import UTC, date, datetime
    from decimal import Decimal
    from uuid import UUID

    row = {"d": date(2024, 5, 2), "t": datetime(2024, 5, 2, tzinfo=UTC), "n": Decimal("1.50"), "u": UUID(int=7)}

    assert build_csv([row]).splitlines()[1] == (
        "2024-05-02,2024-05-02T00:00:00+00:00,1.50,00000000-0000-0000-0000-000000000007"
    )


def test_a_table_without_rows_has_the_columns_that_are_named():
    assert (build_csv([]), build_csv([], columns=["id", "name"])) == ("", "id,name\r\n")


def test_an_empty_field_alone_is_a_row():
    assert parse_csv(build_csv([{"a": ""}, {"a": None}])) == [{"a": ""}, {"a": ""}]


def test_lines_are_written_as_the_rows_are_drawn():
    drawn = []

    def rows():
        for number in range(1_000_000_000):
            drawn.append(number)
            yield {"n": number}

    lines = csv_lines(rows())

    assert [next(lines), next(lines)] == ["n\r\n", "0\r\n"]
    assert drawn == [0]


@pytest.mark.parametrize(
    ("rows", "said", "fix"),
    [
        ([{"id": 1}, {"id": 2, "nmae": "x"}], "row 2 has the column 'nmae', and the table has not", "columns="),
        ([{"id": 1, "n": 1}, {"id": 2}], "row 2 lacks the column 'n'", "missing='null'"),
        ([{"id": 1, "tags": ["Amina"]}], "row 1 has a value of type list in the column 'tags'", "texts"),
        ([{"id": {"name": "Amina"}}], "row 1 has a value of type dict", "texts"),
        ([{"id": float("nan")}], "row 1 has a value of type float", "texts"),
        ([{"": 1}], "a column without a name", "names each column once"),
    ],
)
def test_rows_that_make_no_table_are_an_error_that_names_the_row_and_shows_no_value(rows, said, fix):
    with pytest.raises(CsvError, match=said) as caught:
        build_csv(rows)

    assert fix in caught.value.fix
    assert "Amina" not in str(caught.value)


def test_missing_fields_may_be_empty():
    assert build_csv([{"id": 1, "n": 1}, {"id": 2}], missing="null") == "id,n\r\n1,1\r\n2,\r\n"
    with pytest.raises(ArgumentError, match="missing='keep'"):
        build_csv([], missing="keep")


@pytest.mark.parametrize("text", ["=1+1", "+254700000000", "-5", "@SUM(A1)", "\tx", "\rx"])
def test_a_text_is_no_formula_in_a_spreadsheet(text):
    """Programs get what was given; for people a text that a spreadsheet would execute is marked as text."""
    assert parse_csv(build_csv([{"a": text, "b": 1}]), trim=False) == [{"a": text, "b": "1"}]
    assert parse_csv(build_csv([{"a": text, "b": -1}], for_spreadsheet=True), trim=False) == [
        {"a": f"'{text}", "b": "-1"}
    ]


def test_a_spreadsheet_gets_a_mark_that_says_utf_8():
    assert build_csv([{"=a": "é"}], for_spreadsheet=True).encode() == b"\xef\xbb\xbf'=a\r\n\xc3\xa9\r\n"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.fixed_dictionaries({"a": TEXTS, 'b, "c"\n': TEXTS, "d": TEXTS})), st.sampled_from(",;\t|"))
def test_what_is_written_is_what_is_read(rows, delimiter):
    text = build_csv(rows, delimiter=delimiter)

    read = parse_csv(text, delimiter=delimiter, trim=False)

    assert read == [{name.strip(): value for name, value in row.items()} for row in rows]


@given(TEXTS, st.sampled_from([",", ";", '"']), st.booleans())
def test_any_text_is_a_table_or_a_csv_error(text, delimiter, trim):
    try:
        rows = parse_csv(text, delimiter=delimiter, trim=trim)
    except (CsvError, ArgumentError):
        return
    assert all(isinstance(value, str) for row in rows for value in row.values())
