"""What a check of a credential asks DHIS2, and what it says."""

import pytest
from crossdock.errors import AdaptorError
from crossdock_dhis2 import AuthFailedError, BaseUrlError, Dhis2Configuration, LoginPageError
from crossdock_dhis2.client import Dhis2Client
from crossdock_dhis2.testing import FakeDhis2


def verify(**fields):
    with Dhis2Client(Dhis2Configuration.model_validate({"retry": 0, **fields})) as client:
        return client.verify()


@pytest.mark.parametrize("version", ["2.36", "2.42"])
def test_the_user_and_the_version_are_told(version):
    """Older versions keep the name of the user one level down."""
    with FakeDhis2(version) as fake:
        fake.users["amina"] = "s3cret-word"

        by_password = verify(base_url=fake.url, username="amina", password="s3cret-word")
        by_token = verify(**fake.credential)

        assert by_password == f"{fake.url} as user amina, DHIS2 {version}.0"
        assert by_token == f"{fake.url} as user admin, DHIS2 {version}.0"
        assert {request.method for request in fake.requests} == {"GET"}


# name: fields of the credential, the first answer of the system, the error
KEPT_OUT = {
    "token": ({"pat": "d2pat_of_nobody"}, None, AuthFailedError),
    "login-page": ({}, (200, "<html>Who are you?</html>"), LoginPageError),
    "no-dhis2": ({}, (200, {"hello": "world"}), BaseUrlError),
    "list": ({}, (200, ["hello"]), BaseUrlError),
    "nothing": ({}, (204, None), BaseUrlError),
    "version": ({"api_version": 12}, None, AdaptorError),
}


@pytest.mark.parametrize("name", KEPT_OUT)
def test_who_is_kept_out_or_elsewhere_is_told_why(fake_dhis2, name):
    fields, answer, error = KEPT_OUT[name]
    if answer is not None:
        fake_dhis2.fail(*answer)

    with pytest.raises(error) as caught:
        verify(**{**fake_dhis2.credential, **fields})

    assert caught.value.fix
    assert "d2pat" not in caught.value.message
