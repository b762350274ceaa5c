"""XML that is streamed: which elements, where it breaks, and how little it holds."""

import io
from itertools import islice

import pytest
from crossdock import Job, Run, Workflow, each, stream_xml
from crossdock.common.xml import XmlError, XmlNodesError
from crossdock.errors import ArgumentError


def streamed(text, element, size=16_384, **options):
    """Stream a text, and give what came before an error, and the error."""
    data = text.encode()
    got, stream = [], stream_xml([data[i : i + size] for i in range(0, len(data), size)], element, **options)
    try:
        got.extend(stream)
    except XmlError as error:
        return got, error
    return got, None


PEOPLE = """<people xmlns:x="urn:x">
<person><id>1</id><person><id>1.1</id></person></person>
<x:person><id>2</id></x:person>
<group><person><id>3</id></person></group>
<person xmlns="urn:y"><id>4</id></person>
</people>"""


@pytest.mark.parametrize("size", [1, 7, 16_384])
@pytest.mark.parametrize(
    ("element", "namespaces", "ids"),
    [
        ("person", None, ["1", "3", "4"]),
        ("x:person", None, ["2"]),
        ("people/person", None, ["1", "4"]),
        ("/people/person", None, ["1", "4"]),
        ("people/person/person", None, ["1.1"]),
        ("people/group/person", None, ["3"]),
        ("group/person", None, []),
        ("y:person", {"y": "urn:y"}, ["4"]),
        ("person", {"y": "urn:y"}, ["1", "3"]),
        ("person", {"": "urn:y"}, ["1", "3", "4"]),
        ("people/z:person", {"z": "urn:x"}, ["2"]),
    ],
)
def test_a_stream_gives_the_outermost_elements_with_a_name_or_path(element, namespaces, ids, size):
    got, error = streamed(PEOPLE, element, size, namespaces=namespaces)

    assert error is None
    assert [value.get("id") or value.get("y:id") for value in got] == ids


def test_a_path_is_that_from_the_root():
    document = "<a><a><a>x</a></a></a>"

    assert streamed(document, "/a")[0] == [{"a": {"a": "x"}}]
    assert streamed(document, "a/a")[0] == [{"a": "x"}]
    assert streamed(document, "a/a/a")[0] == ["x"]
    assert streamed(document, "a")[0] == [{"a": {"a": "x"}}]


def test_declarations_are_in_the_element_that_makes_them():
    document = '<r xmlns="urn:r"><c xmlns="urn:c" id="1"><p:d xmlns:p="urn:p"/></c><c/><c><d xmlns:q="urn:q"/></c></r>'

    assert streamed(document, "c")[0] == [
        {"@xmlns": "urn:c", "@id": "1", "p:d": {"@xmlns:p": "urn:p"}},
        "",
        {"d": {"@xmlns:q": "urn:q"}},
    ]


@pytest.mark.parametrize("element", ["", "/", "a//b", "a/", "*", "a b", "{urn:a}b", "@id", "a:b:c"])
def test_an_element_without_a_name_is_refused_at_once(element):
    with pytest.raises(ArgumentError, match="for the element"):
        stream_xml([], element)


@pytest.mark.parametrize("element", ["q:a", "q:a/y:b", "y:a/q:b"])
def test_a_prefix_without_a_namespace_is_refused_at_once(element):
    with pytest.raises(ArgumentError, match=r"prefix of 'q:[ab]' has no namespace"):
        stream_xml([], element, namespaces={"y": "urn:y"})


def test_a_source_that_gives_text_is_refused():
    for source in (io.StringIO("<a/>"), ["<a/>"]):
        with pytest.raises(ArgumentError, match="from bytes, and a str came"):
            list(stream_xml(source, "a"))


def test_a_stream_draws_no_more_than_it_needs():
    drawn = []

    def chunks():
        yield b"<r>"
        for n in range(1000):
            drawn.append(n)
            yield f"<a>{n}</a>".encode()

    assert list(islice(stream_xml(chunks(), "a"), 3)) == ["0", "1", "2"]
    assert len(drawn) < 10


@pytest.mark.parametrize("size", [1, 16_384])
@pytest.mark.parametrize(
    "broken", ["</b>", "<b></c>", "<b>&eacute;</b>", "<b>\0</b>", "<a>3</a", "&#0;", "</r><r/>", "<a>\n\n&x;</a>", ""]
)
def test_xm_11_the_good_elements_come_before_the_error_with_its_line(broken, size):
    text = f"<r>\n<a>1</a>\n<a>2</a>\n{broken}"

    got, error = streamed(text, "a", size)

    assert got == ["1", "2"]
    assert error.code == "xml_invalid"
    assert 3 < error.details["line"] < 7


@pytest.mark.parametrize("broken", ["<p:b/>", "<a><b/><p:b/>\n</a>", "<b p:c='1'/>", "<a>\n<p:b/></a>"])
def test_xm_11_no_element_after_a_prefix_that_is_not_declared_is_given(broken):
    got, error = streamed(f"<r>\n<a>1</a>\n<a>2</a>\n{broken}\n<a>3</a>{'<a>4</a>' * 10_000}</r>", "a")

    assert got == ["1", "2"]
    assert error.details["line"] in (4, 5)


def test_xm_06_one_element_may_not_hold_more_nodes_than_the_limit():
    record = f"<a>{'<b/>' * 600_000}</a>"

    got, error = streamed(f"<r><a>1</a>{record}</r>", "a")

    assert got == ["1"]
    assert isinstance(error, XmlNodesError)
    assert len(streamed(f"<r>{record}</r>", "a", max_nodes=600_010)[0][0]["b"]) == 600_000
    assert len(streamed(f"<r>{'<a><b/></a>' * 10_000}</r>", "a", max_nodes=5000)[0]) == 10_000


CHUNKS = """
def chunks():
    yield b"<r xmlns:p='urn:p'>"
    for _ in range(200):
        yield {record!r}.encode() * 500
    yield b"</r>"

run = lambda: sum(1 for _ in stream_xml(chunks(), {element!r}))
"""


@pytest.mark.parametrize(
    ("record", "element", "each_record"),
    [
        ("<a id='1'><b>text</b><c>text</c></a>\n", "a", 1),
        ("<a id='1'><b>text</b><c>text</c></a>\n", "r/a", 1),
        ("<a id='1'><b>text</b><c>text</c></a>\n", "misspelt", 0),
        ("<g>text <x><y/></x> text</g> text <a xmlns='urn:v'/>", "a", 1),
        ("<g xml:id='i'><p:x/></g><p:a/>", "p:a", 1),
    ],
)
def test_a_stream_holds_one_element_at_a_time(record, element, each_record, measured):
    count, _, megabytes = measured(CHUNKS.format(record=record, element=element))

    assert count == 100_000 * each_record
    assert megabytes < 5


def test_a_job_streams_a_file(tmp_path):
    file = tmp_path / "people.xml"
    file.write_text("<people>" + "".join(f'<person id="{n}"/>' for n in range(1000)) + "</people>")

    def people(state):
        with open(state.file, "rb") as source:
            yield from stream_xml(source, "people/person")

    run = Run(
        Workflow.of(Job(each(people, lambda state: state.result(state.data["@id"])).into("ids"))),
        state={"file": str(file)},
    )

    assert run.execute() == "success"
    assert run.state.ids == [str(n) for n in range(1000)]
