"""XML: refused where it is dangerous, and otherwise in one documented form."""

import gzip
import json
import re
import socket
import time
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import requires
from io import BytesIO
from pathlib import Path

import crossdock
import pytest
from crossdock import build_xml, find_xml, parse_xml, stream_xml
from crossdock.common.xml import XmlDtdError, XmlError, XmlLimitError, XmlNodesError
from crossdock.errors import ArgumentError
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

ROOT = Path(__file__).parents[2]
CANARY = "canary-7f3a91"

READERS = {
    "parse_xml": parse_xml,
    "parse_xml of bytes": lambda text: parse_xml(text.encode()),
    "parse_xml with a charset": lambda text: parse_xml(text.encode("utf-16"), encoding="utf-16"),
    "parse_xml of UTF-16": lambda text: parse_xml(text.encode("utf-16")),
    "find_xml": lambda text: find_xml(text, "//a"),
    "stream_xml": lambda text: list(stream_xml(BytesIO(text.encode()), "a")),
    "stream_xml by the byte": lambda text: list(stream_xml([bytes([byte]) for byte in text.encode()], "a")),
}


@pytest.fixture(params=READERS.values(), ids=READERS)
def read(request):
    """Each way in which XML is read."""
    return request.param


# Document types


@pytest.fixture
def canary(tmp_path):
    """A file that no XML may bring in."""
    file = tmp_path / "secret.txt"
    file.write_text(CANARY)
    return file


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "{uri}">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "{uri}">]><a b="&x;"/>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "{uri}"> %x;]><a/>',
        '<!DOCTYPE a SYSTEM "{uri}"><a/>',
        '<!DOCTYPE a PUBLIC "-//x//y" "{uri}"><a/>',
        '<?xml version="1.0"?><!-- c --><?p i?><!DOCTYPE a><a/>',
        '<!DOCTYPE a [<!ATTLIST a b CDATA "default">]><a/>',
    ],
)
def test_xm_01_xm_02_no_document_type_is_read_in_any_way_of_reading(document, canary, read):
    with pytest.raises(XmlDtdError) as caught:
        read(document.format(uri=canary.as_uri()))

    assert caught.value.code == "dtd_forbidden"
    assert CANARY not in str(caught.value) + repr(caught.value.details)


def test_xm_02_core_requires_the_first_lxml_that_is_safe():
    assert "lxml>=6.1" in requires("crossdock")
    assert etree.LXML_VERSION >= (6, 1)


LAUGHS = "<!DOCTYPE a [<!ENTITY x0 'ha'>{}]><a{{}}".format(
    "".join(f"<!ENTITY x{n} '{f'&x{n - 1};' * 10}'>" for n in range(1, 10))
)
BOMBS = {
    "billion laughs": LAUGHS.format(">&x9;</a>"),
    "billion laughs in an attribute": LAUGHS.format(' b="&x9;"/>'),
    "quadratic": f"<!DOCTYPE a [<!ENTITY x '{'x' * 100_000}'>]><a>{'&x;' * 1000}</a>",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("call", ["parse_xml(text)", "list(stream_xml([text.encode()], 'a'))"])
def test_xm_03_entities_are_refused_before_they_are_expanded(bomb, call, measured):
    code, seconds, megabytes = measured(f"text = {bomb!r}\nrun = lambda: {call}")

    assert code == "dtd_forbidden"
    assert seconds < 0.05
    assert megabytes < 20


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a SYSTEM "{url}"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "{url}"> %x;]><a/>',
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}"/></a>',
        '<?xml-stylesheet href="{url}"?><a xmlns="{url}" xmlns:xsi="urn:xsi" xsi:schemaLocation="{url} {url}"/>',
    ],
)
def test_xm_04_xm_13_no_document_makes_a_connection(document, read):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        text = document.format(url=f"http://127.0.0.1:{server.getsockname()[1]}/x")

        if "DOCTYPE" in text:
            with pytest.raises(XmlDtdError):
                read(text)
        else:
            read(text)

        with pytest.raises(BlockingIOError):
            server.accept()


# Limits

TOO_BIG = {
    "text": f"<a>{'x' * 10_000_001}</a>",
    "tag": f"<a b='{'x' * 10_000_001}'/>",
    "depth": "<a>" * 257 + "</a>" * 257,
    "name": f"<{'n' * 50_001}/>",
    "comment": f"<a><!--{'x' * 10_000_001}--></a>",
    "instruction": f"<a><?p {'x' * 10_000_001}?></a>",
    "prolog": "<!-- -->" * 1_500_000 + "<a/>",
}


@pytest.mark.parametrize(("limit", "document"), TOO_BIG.items(), ids=TOO_BIG)
def test_xm_05_what_is_over_a_limit_is_refused_by_its_name(limit, document):
    for read in (parse_xml, lambda text: list(stream_xml([text.encode()], "a"))):
        with pytest.raises(XmlLimitError) as caught:
            read(document)

        assert (caught.value.code, caught.value.details["limit"]) == ("xml_limit", limit)
        assert "x" * 50 not in str(caught.value)


def test_xm_05_a_character_section_over_the_limit_counts_as_text():
    with pytest.raises(XmlLimitError, match=r"line 1, column \d+: a text has more than 10,000,000 bytes"):
        parse_xml(f"<a><![CDATA[{'x' * 10_000_001}]]></a>")


def test_xm_05_more_namespaces_than_the_limit_are_refused_unless_the_job_chooses_them():
    def document(count):
        declarations = " ".join(f"xmlns:p{n}='urn:{n}'" for n in range(count))
        return f"<a {declarations}><b xmlns:p0='urn:0'/></a>"

    assert len(parse_xml(document(64))["a"]) == 65
    assert parse_xml(document(65), namespaces={}) == {"a": {"b": ""}}
    with pytest.raises(XmlLimitError, match="line 1: more than 64 namespaces") as caught:
        parse_xml(document(65))
    assert caught.value.details["limit"] == "namespaces"


def test_xm_05_what_keeps_to_the_limits_is_read():
    deep = parse_xml("<a>" * 256 + "</a>" * 256)
    for _ in range(256):
        deep = deep["a"]

    assert deep == ""
    assert parse_xml(f"<a>{'x' * 10_000_000}</a>") == {"a": "x" * 10_000_000}
    assert parse_xml(f"<{'n' * 50_000}/>") == {"n" * 50_000: ""}


def test_xm_06_a_hundred_thousand_attributes_are_read():
    document = "<a " + " ".join(f"n{n}='{n % 10}'" for n in range(100_000)) + "/>"
    started = time.process_time()

    assert parse_xml(document)["a"] == {f"@n{n}": str(n % 10) for n in range(100_000)}
    assert time.process_time() - started < 3


def test_xm_06_more_nodes_than_the_limit_are_refused_with_little_memory(measured):
    code, seconds, megabytes = measured("text = b'<r>' + b'<a/>' * 5_000_000 + b'</r>'\nrun = lambda: parse_xml(text)")

    assert code == "too_many_nodes"
    assert seconds < 3
    assert megabytes < 200


def test_xm_06_a_job_may_allow_a_million_elements(measured):
    run = "lambda: len(parse_xml(text, max_nodes=2_000_000)['r']['a'])"
    count, seconds, megabytes = measured(f"text = b'<r>' + b'<a>1</a>' * 1_000_000 + b'</r>'\nrun = {run}")

    assert count == 1_000_000
    assert seconds < 3
    assert megabytes < 400


@pytest.mark.parametrize("node", ["<b/>", "<b c=''/>"])
def test_xm_06_elements_and_attributes_are_counted_exactly(node):
    size = 1 + ("=" in node)
    document = f"<a>{node * 2000}</a>"

    assert len(parse_xml(document, max_nodes=1 + 2000 * size)["a"]["b"]) == 2000
    assert len(find_xml(document, "b", max_nodes=1 + 2000 * size)) == 2000
    with pytest.raises(XmlNodesError, match=f"more than {2000 * size:,} elements and attributes"):
        parse_xml(document, max_nodes=2000 * size)
    with pytest.raises(XmlNodesError):
        find_xml(document, "b", max_nodes=2000 * size)


def test_xm_06_the_limit_is_exact_in_a_document_that_hovers_at_it():
    document = f"<a>{'<b/>' * 499_999}{'x' * 3_000_000}"

    assert len(parse_xml(f"{document}</a>")["a"]["b"]) == 499_999
    with pytest.raises(XmlNodesError):
        parse_xml(f"{document}<b/></a>")


# Encodings


def test_xm_08_the_charset_of_the_answer_counts_and_a_difference_is_logged(caplog):
    data = '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode()

    assert parse_xml(data) == {"a": "Ã©"}
    assert not caplog.records
    assert parse_xml(data, encoding="UTF-8") == {"a": "é"}
    [record] = caplog.records
    assert (record.levelname, "iso-8859-1" in record.message, "UTF-8" in record.message) == ("WARNING", True, True)


@pytest.mark.parametrize(("declared", "charset"), [("UTF-8", "utf8"), ("ISO-8859-1", "latin-1"), (None, "utf-8")])
def test_xm_08_no_difference_is_not_logged(declared, charset, caplog):
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""

    assert parse_xml(f"{declaration}<a>é</a>".encode(charset), encoding=charset) == {"a": "é"}
    assert not caplog.records


def test_xm_08_the_charset_holds_through_a_byte_order_mark():
    assert parse_xml("\ufeff<a>é</a>".encode(), encoding="utf-8") == {"a": "é"}
    assert parse_xml("<a>é</a>".encode("utf-16")) == {"a": "é"}


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"<a>\xe9</a>", "utf-8", "is not 'utf-8' from byte 3 on"),
        (b"<a/>", "klingon", "encoding 'klingon' of the XML is not known"),
        (b"<a/>", "hex", "encoding 'hex' of the XML is not known"),
        (b"<a>\xe9</a>", None, "line 1, column 4: invalid encoding"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", None, "unsupported encoding"),
        ("<a>\ud83d</a>", None, "half a character"),
    ],
)
def test_xm_08_a_false_encoding_is_an_error(data, encoding, message):
    with pytest.raises(XmlError, match=message) as caught:
        parse_xml(data, encoding=encoding)

    assert caught.value.code == "xml_invalid"


def test_xm_09_text_may_declare_any_encoding(caplog):
    assert parse_xml('<?xml version="1.0" encoding="utf-16"?><a>é</a>') == {"a": "é"}
    assert find_xml('<?xml version="1.0" encoding="latin-1"?><a>é</a>', "/a") == ["é"]
    assert not caplog.records


# Broken documents


@pytest.mark.parametrize(
    ("document", "line", "column"),
    [
        ("<a>\n<b>", 2, 4),
        ("<a>\n<b", 2, 3),
        ("<a/>\n<b/>", 2, 1),
        ("<a>\n\0</a>", 2, 1),
        ("<a>\n&#0;</a>", 2, 5),
        ("<a>\n<b></c></a>", 2, 8),
        ("<a>\n&eacute;</a>", 2, 9),
        ("<a>\n<p:b/></a>", 2, 5),
        ("<a>\n<b c='1' c='2'/></a>", 2, 15),
        ("\n<?xml version='1.0'?><a/>", 2, 6),
        ("text", 1, 1),
        ("  ", 1, 3),
    ],
)
def test_xm_11_what_is_not_well_formed_is_refused_with_its_place(document, line, column):
    for read in (parse_xml, lambda text: find_xml(text, "//b"), lambda text: list(stream_xml([text.encode()], "z"))):
        with pytest.raises(XmlError, match=f"line {line}, column {column}") as caught:
            read(document)

        assert caught.value.code == "xml_invalid"
        assert (caught.value.details["line"], caught.value.details["column"]) == (line, column)


WARNINGS = "<b xmlns='relative'/>" * 200


@pytest.mark.parametrize(
    ("broken", "error"),
    [("</b>", XmlError), ("<c>" * 300, XmlLimitError), ("<p:b/></a>", XmlError), ("&x;</a>", XmlError)],
)
def test_xm_11_warnings_do_not_hide_an_error(broken, error):
    with pytest.raises(error) as caught:
        parse_xml(f"<a>\n{WARNINGS}\n{broken}")

    assert type(caught.value) is error
    assert caught.value.details["line"] == 3
    assert len(parse_xml(f"<a>{WARNINGS}</a>")["a"]["b"]) == 200


def test_xm_05_a_prolog_may_come_in_small_pieces():
    pieces = [b" "] * 5000 + [b"<a/>"]

    assert list(stream_xml([b"<?xml version='1.0'?>", *pieces], "a")) == [""]


@pytest.mark.parametrize(
    ("document", "got"), [("", "an empty text"), (b"", "an empty text"), (None, "NoneType"), ({"a": 1}, "dict")]
)
def test_xm_11_nothing_is_no_xml(document, got):
    with pytest.raises(XmlError, match=f"there is no XML: got {got}"):
        parse_xml(document)


def test_xm_11_an_error_does_not_quote_the_document():
    with pytest.raises(XmlError) as caught:
        parse_xml(f"<a><{CANARY}></b></a>")

    assert CANARY not in str(caught.value) + repr(caught.value.details)


# XPath

PEOPLE = """<people xmlns:p="urn:people">
  <person id="7"><name>Amina</name><p:age>31</p:age></person>
  <person id="8"><name>O'Neill "x"</name></person>
</people>"""


@pytest.mark.parametrize("name", ["x' or '1'='1", '" or "1"="1', "x'] | //person | x['", "*", ""])
def test_xm_12_a_value_can_not_change_the_path(name):
    assert find_xml(PEOPLE, "//person[name = $name]", name=name) == []


def test_xm_12_any_text_is_found_as_a_value():
    assert find_xml(PEOPLE, "//person[name = $name]/@id", name='O\'Neill "x"') == ["8"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("//person[1]", [{"@id": "7", "name": "Amina", "p:age": "31"}]),
        ("person/@id", ["7", "8"]),
        ("/people/person/name/text()", ["Amina", 'O\'Neill "x"']),
        ("//name", ["Amina", 'O\'Neill "x"']),
        ("//village", []),
        ("count(//person)", [2]),
        ("string(//name)", ["Amina"]),
        ("//person[1]/@id = '7'", [True]),
        ("/people/namespace::p", ["urn:people"]),
    ],
)
def test_an_xpath_finds_values_in_the_same_form(path, found):
    assert find_xml(PEOPLE, path) == found
    assert find_xml(PEOPLE.encode(), path) == found


def test_an_xpath_and_its_values_have_the_prefixes_of_the_job():
    found = find_xml(PEOPLE, "//person[x:age > $least]", namespaces={"x": "urn:people", "": "urn:y"}, least=30)

    assert found == [{"@id": "7", "name": "Amina", "x:age": "31"}]


def test_declarations_are_in_each_value_that_makes_them():
    document = '<r><a xmlns="urn:a"><b xmlns:p="urn:p"/></a></r>'

    assert find_xml(document, "//*[local-name() = 'b' or local-name() = 'a']") == [
        {"@xmlns": "urn:a", "b": {"@xmlns:p": "urn:p"}},
        {"@xmlns:p": "urn:p"},
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (9007199254740993, ["9007199254740993"]),
        (1.5, ["1.50"]),
        (Decimal("1.50"), ["1.50"]),
        (date(2024, 5, 2), ["2024-05-02"]),
    ],
)
def test_values_of_an_xpath_are_exact(value, found):
    document = (
        "<r>" + "".join(f"<v>{v}</v>" for v in ("9007199254740992", "9007199254740993", "1.50", "2024-05-02")) + "</r>"
    )

    assert find_xml(document, "v[. = $value]", value=value) == found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("//person[", "Invalid expression"),
        ("", "Invalid expression"),
        ("//person[@id = $nobody]", "Undefined variable"),
        ("//q:person", "Undefined namespace prefix"),
        ("document('file:///etc/passwd')", "Unregistered function"),
        ("doc('file:///etc/passwd')", "Unregistered function"),
        ("unparsed-text('/etc/passwd')", "Unregistered function"),
    ],
)
def test_a_bad_path_is_an_error_that_names_it(path, message):
    with pytest.raises(ArgumentError, match=re.escape(f"the XPath {path!r} can't be used: {message}")):
        find_xml(PEOPLE, path)


@pytest.mark.parametrize("value", ["a\0b", None, [1], float("nan"), b"7"])
def test_a_value_that_xml_can_not_hold_is_an_error_that_names_it(value):
    with pytest.raises(ArgumentError, match=r"^\$id "):
        find_xml(PEOPLE, "//person[@id = $id]", id=value)


# Nothing but bytes and text


def test_xm_13_what_reaches_other_files_is_left_untouched(canary, read):
    document = (
        f'<?xml-stylesheet type="text/xsl" href="{canary.as_uri()}"?><r><a xmlns:xi="http://www.w3.org/2001/XInclude">'
        f'<xi:include href="{canary.as_uri()}" parse="text"/></a></r>'
    )

    read_value = read(document)

    assert CANARY not in str(read_value)
    assert canary.as_uri() in str(read_value)


def test_xm_13_paths_addresses_and_archives_are_no_xml(tmp_path):
    file = tmp_path / "a.xml.gz"
    file.write_bytes(gzip.compress(b"<a/>"))

    for text in (str(file), file.as_uri(), "http://127.0.0.1:9/a.xml", file.read_bytes()):
        with pytest.raises(XmlError, match="line 1, column 1"):
            parse_xml(text)
    for source in (str(file), file, b"<a/>", None, 7):
        with pytest.raises(ArgumentError, match="to read from") as caught:
            stream_xml(source, "a")
        assert "open(path, 'rb')" in caught.value.fix
    with file.open("rb") as opened, pytest.raises(XmlError, match="line 1, column 1"):
        list(stream_xml(opened, "a"))


def test_xm_13_xml_is_parsed_in_one_place():
    other = re.compile(
        r"etree\s*\.\s*(parse|fromstring|fromstringlist|iterparse|XML|XMLID|HTML|\w*Parser)\b"
        r"|\bimport\s+(fromstring|iterparse)|\bxml\.(etree|sax|dom)\b|expat|lxml\.(html|objectify|sax)|import xmltodict"
    )
    sources = [*ROOT.glob("core/**/*.py"), *ROOT.glob("adaptors/**/*.py")]
    parsing = [path.name for path in sources if other.search(path.read_text(encoding="utf-8"))]

    assert len(sources) > 50
    assert sorted(parsing) == ["markup.py", "reader.py"]  # the first reads HTML, of which it keeps the text alone
    assert Path(crossdock.__file__).parent / "common/xml/reader.py" in sources


# The form

FORMS = {
    "empty": ("<a/>", {"a": ""}),
    "text": ("<a> one\n</a>", {"a": " one\n"}),
    "attributes": ('<a b="1" c=""/>', {"a": {"@b": "1", "@c": ""}}),
    "text and attributes": ('<a b="1">x</a>', {"a": {"@b": "1", "#text": "x"}}),
    "children": ("<a>\n <b>1</b>\n <c/>\n</a>", {"a": {"b": "1", "c": ""}}),
    "repeated": ("<a><b>1</b><c>2</c><b/><b>3</b></a>", {"a": {"b": ["1", "", "3"], "c": "2"}}),
    "mixed": ("<a>one <b>two</b> three</a>", {"a": {"b": "two", "#text": "one  three"}}),
    "mixed at the end": ("<a> <b/>x</a>", {"a": {"b": "", "#text": " x"}}),
    "sections, comments, references": ("<a>x<!--c--><![CDATA[<&]]><?p i?>&lt;&#233;</a>", {"a": "x<&<é"}),
    "line ends": ("<a>1\r\n2\r3&#13;</a>", {"a": "1\n2\n3\r"}),
    "xml:lang": ('<a xml:lang="sw">x</a>', {"a": {"@xml:lang": "sw", "#text": "x"}}),
    "default namespace": (
        '<a xmlns="urn:a" x="1"><b y="2"/></a>',
        {"a": {"@xmlns": "urn:a", "@x": "1", "b": {"@y": "2"}}},
    ),
    "an attribute in the default namespace": (
        '<a xmlns:p="urn:a" xmlns="urn:a" p:x="1"/>',
        {"a": {"@xmlns:p": "urn:a", "@xmlns": "urn:a", "@p:x": "1"}},
    ),
    "prefixes": (
        '<p:a xmlns:p="urn:a" p:x="1" x="2"><p:b/><b/></p:a>',
        {"p:a": {"@xmlns:p": "urn:a", "@p:x": "1", "@x": "2", "p:b": "", "b": ""}},
    ),
    "two prefixes of one namespace": (
        '<a xmlns="urn:a" xmlns:p="urn:a" p:x="1"><p:b/><b/></a>',
        {"a": {"@xmlns": "urn:a", "@xmlns:p": "urn:a", "@p:x": "1", "p:b": "", "b": ""}},
    ),
    "namespaces in the middle": (
        '<a xmlns="urn:a"><b xmlns:p="urn:p"><p:c/></b><b xmlns=""/><b/></a>',
        {"a": {"@xmlns": "urn:a", "b": [{"@xmlns:p": "urn:p", "p:c": ""}, {"@xmlns": ""}, ""]}},
    ),
}


@pytest.mark.parametrize(("text", "document"), FORMS.values(), ids=FORMS)
def test_xm_14_every_construct_has_one_form(text, document):
    assert parse_xml(text) == document
    assert find_xml(text, "/*") == list(document.values())
    assert list(stream_xml([text.encode()], next(iter(document)))) == list(document.values())


TWO_PREFIXES = {"two prefixes of one namespace", "an attribute in the default namespace"}


@pytest.mark.parametrize("construct", sorted(FORMS.keys() - TWO_PREFIXES))
def test_xm_14_what_was_read_and_written_is_read_as_the_same(construct):
    _, document = FORMS[construct]

    assert parse_xml(build_xml(document)) == document


def test_xm_14_order_and_count_of_children_are_kept_where_there_are_many():
    document = {"a": {"b": [str(n) for n in range(3000)], "c": {"d": [{"@n": str(n)} for n in range(3000)]}}}

    assert parse_xml(build_xml(document)) == document


def test_the_job_chooses_the_prefixes():
    document = (
        '<s:Envelope xmlns:s="urn:soap"><s:Body><n xmlns="urn:n" xmlns:o="urn:o" xmlns:n="urn:n" o:id="1" n:z="4" s:x="2" y="3">'
        '<m/><o:p/><q xmlns=""/></n></s:Body></s:Envelope>'
    )

    assert parse_xml(document, namespaces={"soap": "urn:soap", "": "urn:n"}) == {
        "soap:Envelope": {
            "soap:Body": {
                "n": {"@{urn:o}id": "1", "@{urn:n}z": "4", "@soap:x": "2", "@y": "3", "m": "", "{urn:o}p": "", "q": ""}
            }
        }
    }
    assert parse_xml(document, namespaces={})["{urn:soap}Envelope"]["{urn:soap}Body"]["{urn:n}n"]["q"] == ""


def test_chosen_prefixes_do_not_depend_on_the_document():
    chosen = {"c": "urn:case"}
    read = [
        parse_xml(text, namespaces=chosen)
        for text in (
            '<case xmlns="urn:case"><id a="1"/></case>',
            '<x:case xmlns:x="urn:case"><x:id a="1"/></x:case>',
            '<x:case xmlns:x="urn:case"><id a="1" xmlns="urn:case"/></x:case>',
        )
    ]

    assert read == [{"c:case": {"c:id": {"@a": "1"}}}] * 3


NAMES = st.from_regex(r"[A-Za-zé_][A-Za-z0-9é_.-]{0,5}", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda c: c in "\t\n\r" or ord(c) >= 32
    ),
    max_size=8,
)
PREFIXED = NAMES | NAMES.map("p:{}".format) | NAMES.map("q:{}".format)
ATTRIBUTES = st.dictionaries(PREFIXED.map("@{}".format), TEXTS, max_size=3)
MIXED = st.dictionaries(st.just("#text"), TEXTS.filter(lambda text: text and not text.isspace()))


def elements(children):
    """Elements in the form that reading gives."""
    content = st.dictionaries(PREFIXED, children | st.lists(children, min_size=2, max_size=4), min_size=1, max_size=4)
    return st.builds(lambda *parts: {key: part[key] for part in parts for key in part}, ATTRIBUTES, content, MIXED)


TREES = st.recursive(TEXTS, elements, max_leaves=12)


@given(NAMES, elements(TREES))
def test_xm_14_what_is_written_is_read_as_the_same(name, root):
    document = {name: {"@xmlns:p": "urn:p", "@xmlns:q": "urn:q", **root}}

    assert parse_xml(build_xml(document)) == document


@given(NAMES, TREES, st.integers(1, 40))
def test_what_is_streamed_is_what_is_parsed_wherever_the_bytes_are_cut(name, root, size):
    document = {"root": {"@xmlns:p": "urn:p", "@xmlns:q": "urn:q", "item": [root, "", root]}}
    data = build_xml(document).encode()

    chunks = [data[start : start + size] for start in range(0, len(data), size)]

    assert list(stream_xml(chunks, "root/item")) == document["root"]["item"]
    assert list(stream_xml(chunks, "root")) == [document["root"]]


# Writing


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.5, "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (date(2024, 5, 2), "2024-05-02"),
        (datetime(2024, 5, 2, 8, 30), "2024-05-02T08:30:00"),
    ],
)
def test_xm_14_values_are_written_as_xml_does_it(value, text):
    assert build_xml({"a": {"@b": value, "c": [value, value], "#text": value}}) == (
        f'<a b="{text}">{text}<c>{text}</c><c>{text}</c></a>'
    )


def test_xm_14_none_leaves_out_and_empty_text_gives_an_empty_element():
    assert build_xml(
        {"a": {"@x": None, "@xmlns:p": None, "#text": None, "b": None, "c": "", "d": [None, ""], "e": []}}
    ) == ("<a><c/><d/></a>")
    assert build_xml({"a": {}}) == "<a/>"
    assert build_xml({"a": None}) == "<a/>"


@pytest.mark.parametrize("character", ["\0", "\x01", "\x0b", "\x1b", "\ud800", "\ufffe", "\uffff"])
@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"a": "{}"}, "a"),
        ({"a": {"@b": "{}"}}, "a.@b"),
        ({"a": {"#text": "{}"}}, "a"),
        ({"a": {"b": ["", {"c": "{}"}]}}, r"a.b\[1\].c"),
        ({"a": {"@xmlns:p": "urn:{}"}}, "a.@xmlns:p"),
    ],
)
def test_xm_14_a_control_character_is_an_error_with_its_path(document, path, character):
    broken = json.loads(json.dumps(document).replace("{}", json.dumps(f"x{character}")[1:-1]))

    with pytest.raises(ArgumentError, match=rf"^{path} has the character U\+{ord(character):04X} at index"):
        build_xml(broken)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"a b": ""}, "a b can't be written as XML"),
        ({"a": {"b c": ""}}, "a.b c can't be written as XML"),
        ({"a": {"@b c": ""}}, "a.@b c can't be written as XML"),
        ({"a": {"@": ""}}, "a.@ can't be written as XML"),
        ({"a": {"#comment": "x"}}, "a.#comment can't be written as XML"),
        ({"a": {"p:b": ""}}, "a.p:b: the prefix 'p' of 'p:b' is not declared"),
        ({"a": {"@p:b": ""}}, "a.@p:b: the prefix 'p' of 'p:b' is not declared"),
        ({"a": {"@xmlns:p": ""}}, "a.@xmlns:p is empty"),
        ({"a": {"@xmlns:1": "urn:a"}}, "a can't be written as XML"),
        ({"a": {"@xmlns:p": "u v"}}, "a can't be written as XML"),
        ({"a": {"b": object()}}, "a.b is of type object"),
        ({"a": [1]}, "a is of type list"),
        ({"a": {"b": [[1]]}}, r"a.b[0] is of type list"),
        ({"a": float("inf")}, "a is of type float"),
        ({"a": Decimal("NaN")}, "a is of type Decimal"),
        ({}, "an XML document has one root element, and this has 0"),
        ({"a": 1, "b": 2}, "this has 2: a, b"),
    ],
)
def test_xm_14_what_xml_can_not_have_is_an_error_with_its_path(document, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        build_xml(document)


def test_an_attribute_whose_name_begins_like_a_declaration_is_written():
    assert build_xml({"a": {"@xmlnsx": "1"}}) == '<a xmlnsx="1"/>'


def test_names_of_namespaces_without_a_prefix_are_written_back():
    document = parse_xml('<a xmlns="urn:a" xmlns:p="urn:p" p:x="1"><p:b/></a>', namespaces={})

    assert parse_xml(build_xml(document), namespaces={}) == document


# As the specification of the adaptors has it


def test_h49_xml_is_read_with_namespaces_and_bombs_are_refused():
    assert parse_xml("<a><b>1</b></a>") == {"a": {"b": "1"}}
    assert parse_xml('<x:a xmlns:x="urn:a"><x:b>1</x:b></x:a>', namespaces={"": "urn:a"}) == {"a": {"b": "1"}}
    for bomb in BOMBS.values():
        with pytest.raises(XmlDtdError):
            parse_xml(bomb)
