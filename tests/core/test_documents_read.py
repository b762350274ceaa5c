"""Reading YAML and JSON that people write: nothing is guessed, and everything has a line."""

from pathlib import Path

import pytest
from crossdock.documents import parse_document, read_document
from crossdock.errors import CredentialError, InputError

AS_WRITTEN = {
    "words": ("a: no\nb: on\nc: y\n", {"a": "no", "b": "on", "c": "y"}),
    "keys": ("NO: 1\n007: 2\n1.10: 3\n~: 4\n'5': 5\n", {"NO": 1, "007": 2, "1.10": 3, "~": 4, "5": 5}),
    "numbers": ("[7, -3, 0.5, 9007199254740993]", [7, -3, 0.5, 9007199254740993]),
    "quoted": ("['007', \"1.10\", !!str 007]", ["007", "1.10", "007"]),
    "constants": ("[~, null, , true, False, TRUE]".replace(" ,", " ~,"), [None, None, None, True, False, True]),
    "nothing": ("a:\n", {"a": None}),
    "empty": ("", None),
    "dates": ("[2024-01-31, 12:30:45]", ["2024-01-31", "12:30:45"]),
    "json": ('{"a": [1, {"b": "é\\n"}]}', {"a": [1, {"b": "é\n"}]}),
    "anchors": ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
    "blocks": ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
    "mark": ("\ufeffa: 1\n", {"a": 1}),
}

REFUSED = {
    "twice": ("a: 1\nb: 2\na: 3\n", "in line 3: the key 'a' stands twice"),
    "twice inside": ("- a: 1\n- {b: 1, b: 2}\n", "in line 2: the key 'b' stands twice"),
    "twice in JSON": ('{"a": 1,\n"a": 1}', "in line 2: the key 'a' stands twice"),
    "merge": ("a: &x {b: 1}\nc:\n  <<: *x\n", "in line 3: takes entries over with <<"),
    "YAML 1.1": ("%YAML 1.1\n---\na: no\n", "in line 3: a word that only YAML 1.1 takes for a boolean"),
    "tag": ("a: 1\nb: !secret hush\n", "in line 2: a tag that JSON has nothing for"),
    "object": ("a: !!python/object:os.system hush\n", "in line 1: a tag that JSON has nothing for"),
    "key": ("? [hush]\n: 1\n", "in line 1: a key that is no text"),
    "cycle": ("a: &x\n  b: *x\n", "in line 1: what an anchor names holds itself"),
    "syntax": ("a: 1\nb: hush: hush\n", "is not valid YAML in line 2, column 8"),
    "a tab": ("a:\n\tb: hush\n", "is not valid YAML in line 2, column 1: a tab stands there"),
    "a tab after blanks": ("a:\n  - hush\n \t- b\n", "is not valid YAML in line 3, column 2: a tab stands there"),
    "open": ("a: [hush\n", "is not valid YAML in line 2, column 1"),
    "two documents": ("a: 1\n---\nb: 1\n", "is not valid YAML in line 2, column 1"),
    "control": ("a: hush\x00\n", "is not valid YAML"),
    "deep": ("[" * 5000, "nests too deep"),
    **{
        f"number {number}": (f"a:\n  - {number}\n", "in line 2: a number that would not be kept as it is written")
        for number in ("007", "1.10", "1e3", "0x1F", "1_000", "+5", ".nan", "-.inf", "1.", "1e999")
    },
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_a_document_says_what_is_written(tmp_path: Path, name: str):
    written, content = AS_WRITTEN[name]
    (tmp_path / "it.yaml").write_text(written, encoding="utf-8")

    read = read_document(str(tmp_path / "it.yaml"), what="it", error=InputError).content

    assert read == content
    assert repr(read) == repr(content), "True is not 1"


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_a_guess_is_refused_with_its_line_and_without_its_value(name: str):
    written, said = REFUSED[name]

    with pytest.raises(CredentialError) as caught:
        parse_document(written, what="the file 'c.yaml'", error=CredentialError)

    assert caught.value.message.startswith(f"the file 'c.yaml' {said}")
    assert "hush" not in caught.value.message + caught.value.fix
    assert caught.value.fix.endswith(".")
    assert ("line" in caught.value.details) == (" line " in said)


def test_everything_in_a_document_has_a_line():
    document = parse_document(
        "steps:\n  load:\n    job: load.py\n    credentials:\n      - kobo\n      - warehouse\n  report: {job: r.py}\n",
        what="the project",
        error=InputError,
    )

    assert [
        document.line(*path)
        for path in [
            ("steps",),
            ("steps", "load", "job"),
            ("steps", "load", "credentials", 1),
            ("steps", "report", "job"),
            ("steps", "load", "credentials", 7),
            ("steps", "load", "job", "x"),
            ("steps", "load", "credentials", "x"),
            ("triggers", "nightly"),
        ]
    ] == [1, 3, 6, 7, 4, 3, 4, 1]


def test_many_uses_of_one_anchor_take_no_time_and_no_room():
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))]

    content = parse_document("\n".join(lines), what="it", error=InputError).content

    assert content["a39"][8] is content["a38"]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "can't be read: No such file"), (b"a: \xff", "is not UTF-8: byte 3")]
)
def test_a_file_that_is_no_text_is_an_error_that_names_it(tmp_path: Path, content: bytes | None, said: str):
    if content is not None:
        (tmp_path / "c.yaml").write_bytes(content)

    with pytest.raises(InputError, match="it " + said):
        read_document(str(tmp_path / "c.yaml"), what="it", error=InputError)
