"""Who may send: keys, passwords and signatures, in whatever headers. IN-24 to IN-29."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from statistics import median

import pytest
from crossdock.errors import CredentialError
from crossdock.server.auth_setting import read_methods
from crossdock.server.authentication import ApiKey, Basic, Hmac, StandardWebhooks, authenticate, challenge, doubt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

NOW = 1_700_000_000.0
BODY = '{"name": "Zoë", "n": 1.50}'.encode()
KEY = "a-long-key-é"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def signature(secret: str, *, identity: str = "msg_1", at: float = NOW, body: bytes = BODY) -> str:
    """Sign as the library of the specification does."""
    return Webhook(secret).sign(identity, datetime.fromtimestamp(at, UTC), body.decode())


def webhook(*signatures: str, identity: bytes = b"msg_1", at: bytes = b"1700000000") -> list[tuple[bytes, bytes]]:
    return [
        (b"webhook-id", identity),
        (b"webhook-timestamp", at),
        (b"webhook-signature", " ".join(signatures).encode()),
    ]


METHODS = {
    "key": ApiKey(KEY),
    "old key": ApiKey("the-old-key"),
    "sync": Basic("sync", "pass:wörd"),
    "hooks": StandardWebhooks(WHSEC),
    "github": Hmac("X-Hub-Signature-256", "s3cret", prefix="sha256="),
}


def who(headers: list[tuple[bytes, bytes]], body: bytes = BODY, now: float = NOW) -> str | None:
    return authenticate(METHODS, headers, body, now=now)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([(b"x-api-key", KEY.encode())], "key"),
        ([(b"X-API-Key", b"the-old-key")], "old key"),
        ([(b"authorization", basic("sync", "pass:wörd"))], "sync"),
        ([(b"Authorization", b"bAsIc  " + basic("sync", "pass:wörd")[6:])], "sync"),
        (webhook(signature(WHSEC)), "hooks"),
        ([(b"authorization", b"Basic ?"), (b"x-api-key", KEY.encode())], "key"),
    ],
)
def test_each_method_lets_in_who_knows_its_secret(headers, name):
    assert who(headers) == name


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-api-key", b"a-wrong-key")],
        [(b"authorization", KEY.encode())],
        [(b"api-key", KEY.encode())],
        [(b"x-api-key", b"")],
        [(b"x-api-key", b"k" * 65_536)],
        [(b"x-api-key", "é".encode())],
        [(b"x-api-key", KEY.encode("latin-1"))],
        [(b"x-api-key", KEY.upper().encode())],
        [(b"x-api-key", KEY.encode()), (b"X-Api-Key", KEY.encode())],
        [(b"authorization", b"Basic %%%")],
        [(b"authorization", b"Basic")],
        [(b"authorization", b"Basic \xff\xfe")],
        [(b"authorization", b"Basic " + base64.b64encode(b"sync"))],
        [(b"authorization", basic("sync", "wrong"))],
        [(b"authorization", basic("other", "pass:wörd"))],
        [(b"authorization", basic("sync", "pass:wörd").replace(b"Basic", b"Bearer"))],
        [(b"authorization", basic("sync", "pass:wörd"))] * 2,
    ],
)
def test_in_24_nobody_else_is_let_in_whatever_the_headers_hold(headers):
    assert who(headers) is None


def test_in_24_without_a_method_nobody_is_let_in():
    assert authenticate({}, [(b"x-api-key", b"")], BODY, now=NOW) is None


def test_in_24_a_refusal_names_each_way_in_once():
    assert challenge(METHODS) == ('ApiKey realm="inbox", Basic realm="inbox", charset="UTF-8", Signature realm="inbox"')


# What a comparison takes


@pytest.mark.parametrize("given", [KEY, "the-old-key", "x" + KEY[1:], KEY[:-1] + "x", "", "k" * 65_536, None])
def test_in_25_every_key_is_compared_in_every_try(given, monkeypatch):
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or compare(a, b))
    keys = {name: ApiKey(key) for name, key in [("1", KEY), ("2", "the-old-key"), ("3", "a-third-key")]}

    authenticate(keys, [] if given is None else [(b"x-api-key", given.encode())], BODY, now=NOW)

    assert compared == [(32, 32)] * 3


@pytest.mark.parametrize("secret", [KEY, "k" * 2000])
def test_in_25_how_long_a_refusal_takes_says_nothing_of_the_key(secret):
    raw = secret.encode()
    tries = {"first": b"\x00" + raw[1:], "last": raw[:-1] + b"\x00", "none": b"\x00" * len(raw)}
    keys = {"key": ApiKey(secret)}
    taken = {name: [] for name in tries}
    for _ in range(2000):
        for name, value in tries.items():
            headers = [(b"x-api-key", value)]
            start = time.perf_counter_ns()
            authenticate(keys, headers, BODY, now=NOW)
            taken[name].append(time.perf_counter_ns() - start)

    medians = {name: median(times) for name, times in taken.items()}
    assert max(medians.values()) < 2 * min(medians.values()), medians


# Signatures over id, time and body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (webhook(signature(WHSEC)), BODY.replace(b"1.50", b"1.51")),
        (webhook(signature(OTHER)), BODY),
        (webhook(signature(WHSEC)), json.dumps(json.loads(BODY)).encode()),
        (webhook(signature(WHSEC), identity=b"msg_2"), BODY),
        (webhook(signature(WHSEC), at=b"1700000001"), BODY),
        (webhook(signature(WHSEC), identity=b""), BODY),
        (webhook(signature(WHSEC, identity=""), identity=b""), BODY),
        (webhook(signature(WHSEC).replace("v1,", "v2,")), BODY),
        (webhook(signature(WHSEC).replace("v1,", "")), BODY),
        (webhook(signature(WHSEC))[:2], BODY),
        (webhook(signature(WHSEC))[1:], BODY),
        (webhook(signature(WHSEC)) * 2, BODY),
    ],
)
def test_in_26_a_signature_of_something_else_is_refused(headers, body):
    assert who(headers, body) is None


@pytest.mark.parametrize("both", [(WHSEC, OTHER), (OTHER, WHSEC)])
def test_in_27_two_secrets_hold_at_once_and_a_removed_one_no_longer(both):
    methods = read_methods({"standard_webhooks": list(both)})
    for signatures in ([signature(WHSEC)], [signature(OTHER)], [signature(WHSEC), signature(OTHER)]):
        assert authenticate(methods, webhook(*signatures), BODY, now=NOW) is not None

    left = read_methods({"standard_webhooks": [OTHER]})

    assert authenticate(left, webhook(signature(WHSEC)), BODY, now=NOW) is None
    assert authenticate(left, webhook("v1a,eA==", "nonsense", signature(OTHER)), BODY, now=NOW) is not None


@pytest.mark.parametrize(
    "signatures", ["v1", ",", "v1,", "v1,%%%", "v1,A", "v1,é", "v1,a,b", " ", "\x00", "v1 " * 2000]
)
def test_in_28_a_malformed_signature_is_refused_and_a_right_one_beside_it_is_not(signatures):
    assert who(webhook(signatures)) is None
    assert who(webhook(signatures, signature(WHSEC))) == "hooks"


def test_in_28_a_body_that_is_not_utf_8_has_a_signature_too():
    body = b"\xff\x00\xfe"
    signed = hmac.digest(base64.b64decode(WHSEC.removeprefix("whsec_")), b"msg_1.1700000000." + body, "sha256")

    assert who(webhook("v1," + base64.b64encode(signed).decode()), body) == "hooks"


@pytest.mark.parametrize(("late", "held"), [(-299, True), (299, True), (-301, False), (301, False)])
def test_in_29_a_signature_holds_for_five_minutes_in_both_directions(late, held):
    assert (who(webhook(signature(WHSEC)), now=NOW + late) is not None) is held


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (
            webhook(signature(WHSEC, at=NOW - 4000), at=b"1699996000"),
            "a right signature whose time is 4000 s behind the",
        ),
        (webhook(signature(WHSEC, at=NOW + 400), at=b"1700000400"), "a right signature whose time is 400 s before the"),
        (webhook(signature(OTHER, at=NOW - 4000), at=b"1699996000"), "wrong credentials"),
        ([(b"X-API-Key", b"another")], "wrong credentials"),
        ([(b"Accept", b"*/*")], "no credentials"),
    ],
)
def test_in_29_the_operator_is_told_that_a_clock_is_wrong_and_the_sender_nothing(headers, said):
    assert who(headers) is None
    assert doubt(METHODS, headers, BODY, now=NOW).startswith(said)


@pytest.mark.parametrize(
    "at",
    [b"NaN", b"1e400", b"-1", b"", b"1.5e9x", b"1700000000.0", b"1_700_000_000", b"9" * 5000, b"\xb2"],
)
def test_in_29_a_time_that_is_no_whole_number_is_refused(at):
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    signed = base64.b64encode(hmac.digest(key, b"msg_1." + at + b"." + BODY, "sha256")).decode()

    assert who(webhook(f"v1,{signed}", at=at)) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(), st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1), st.integers(-400, 400))
@example(b"{}", "msg.2", 0)
def test_standard_webhooks_are_read_as_their_library_reads_them(body, identity, late):
    now = time.time()
    at = int(now) + late
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    headers = webhook(signature(WHSEC, identity=identity, at=at, body=body), identity=identity.encode(), at=b"%d" % at)
    try:
        Webhook(WHSEC).verify(text, {name.decode(): value.decode() for name, value in headers}, json_parse=False)
        theirs = True
    except WebhookVerificationError:
        theirs = False

    assert (who(headers, body, now=now) == "hooks") is theirs or 299 <= abs(late) <= 301


def test_a_secret_is_read_without_its_prefix_and_padding_too():
    for secret in ("MTIzNDU2Nzg5MA==", "whsec_MTIzNDU2Nzg5MA"):
        headers = webhook(signature(secret))
        assert authenticate({"hooks": StandardWebhooks(secret)}, headers, BODY, now=NOW) == "hooks"


# Signatures in a header of one's own


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha384", "sha1"])
@pytest.mark.parametrize("prefix", ["", "sha=", "v1,"])
def test_in_26_a_signature_over_the_body_is_read_in_each_form(algorithm, prefix):
    signed = hmac.new(b"s3cret", BODY, getattr(hashlib, algorithm)).digest()
    written = {"hex": signed.hex(), "base64": base64.b64encode(signed).decode()}
    for encoding, text in written.items():
        method = {"hub": Hmac("X-Signature", "s3cret", algorithm=algorithm, prefix=prefix, encoding=encoding)}
        for value, body, held in [
            (prefix + text, BODY, True),
            (prefix + text.swapcase(), BODY, encoding == "hex"),
            (text, BODY, prefix == ""),
            (prefix + text[:-4], BODY, False),
            (prefix + text, BODY + b" ", False),
            (prefix, BODY, False),
        ]:
            assert (authenticate(method, [(b"x-signature", value.encode())], body, now=NOW) == "hub") is held


def test_in_26_a_signature_of_github_is_read():
    # The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    given = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    methods = {"github": Hmac("X-Hub-Signature-256", "It's a Secret to Everybody", prefix="sha256=")}

    assert authenticate(methods, [(b"X-Hub-Signature-256", given)], b"Hello, World!", now=NOW) == "github"


# Whatever comes

NAMES = [
    b"x-api-key",
    b"authorization",
    b"webhook-id",
    b"webhook-timestamp",
    b"webhook-signature",
    b"x-hub-signature-256",
]
VALUES = (
    st.binary()
    | st.builds(bytes.__add__, st.sampled_from([b"Basic ", b"v1,", b"sha256=", b"17", b"v1, v1,"]), st.binary())
    | st.sampled_from([b"1700000000", b"Basic =", b"Basic " + b"=" * 9, b"v1,====", b"9" * 400])
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES) | st.binary(), VALUES)), st.binary(max_size=100))
def test_in_24_no_request_raises_an_error_or_guesses_a_secret(headers, body):
    assert who(headers, body) is None


# The setting


def test_methods_are_read_by_kind_one_or_several():
    methods = read_methods(
        {
            "api_key": ["first-key", "second-key"],
            "basic": {"user": "sync", "password": "s3cret"},
            "standard_webhooks": {"secret": WHSEC},
            "hmac": [{"header": "X-Sig", "secret": "s3cret"}],
        }
    )

    assert list(methods) == ["api_key 1", "api_key 2", "basic", "standard_webhooks", "hmac 1"]
    assert authenticate(methods, [(b"x-api-key", b"second-key")], BODY, now=NOW) == "api_key 2"
    assert authenticate(methods, [(b"authorization", basic("sync", "s3cret"))], BODY, now=NOW) == "basic"
    assert methods["hmac 1"].secret_headers == {"x-sig"}


SECRET = "Zq8"


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (None, "auth names no method"),
        (SECRET, "auth names no method"),
        ({"api_key": []}, "auth names no method"),
        ({"apikey": SECRET}, "there is no method in auth called 'apikey'; there are: api_key, basic"),
        ({"api_key": SECRET}, "auth.api_key: the key has only 3 characters; a secret needs 4"),
        ({"api_key": ["long-enough", ""]}, "auth.api_key[1]: the key has only 0 characters"),
        ({"api_key": 12345}, "auth.api_key.key is of type int, not text"),
        ({"api_key": f"{SECRET}\ud800"}, "auth.api_key: the key has half a character"),
        ({"basic": f"sync:{SECRET}"}, "auth.basic lacks user, password"),
        ({"basic": {"user": "sync", "passwort": SECRET}}, "there is no field in auth.basic called 'passwort'"),
        ({"basic": {"user": "sy:nc", "password": "s3cret"}}, "auth.basic: the user has a colon"),
        ({"basic": {"user": "sync", "password": SECRET}}, "auth.basic: the password has only 3"),
        ({"standard_webhooks": "whsec_"}, "auth.standard_webhooks: the secret has only 0"),
        ({"standard_webhooks": "whpk_" + SECRET * 8}, "auth.standard_webhooks: the secret is not base64"),
        ({"hmac": "s3cret"}, "auth.hmac lacks header, secret"),
        ({"hmac": {"header": "X Sig", "secret": "s3cret"}}, "auth.hmac: 'X Sig' is no name of a header"),
        ({"hmac": {"header": "a", "secret": "s3cret", "algorithm": "md5"}}, "auth.hmac: there is no algorithm called"),
        ({"hmac": {"header": "a", "secret": "s3cret", "encoding": "hax"}}, "there is no encoding called 'hax'"),
        ({"hmac": {"header": "a", "secret": SECRET}}, "auth.hmac: the secret has only 3"),
    ],
)
def test_a_setting_that_can_not_be_used_is_named_and_shows_no_secret(auth, said):
    with pytest.raises(CredentialError) as caught:
        read_methods(auth)

    assert said in caught.value.message
    assert SECRET not in caught.value.message + caught.value.fix


def test_a_secret_of_the_environment_in_another_encoding_is_compared_byte_by_byte():
    key = b"k\xe9y-one".decode(errors="surrogateescape")  # as os.environ gives it

    assert authenticate({"key": ApiKey(key)}, [(b"x-api-key", b"k\xe9y-one")], BODY, now=NOW) == "key"


def test_a_method_shows_no_secret():
    assert [repr(method) for method in METHODS.values()] == [
        "<ApiKey>",
        "<ApiKey>",
        "<Basic>",
        "<StandardWebhooks>",
        "<Hmac>",
    ]
