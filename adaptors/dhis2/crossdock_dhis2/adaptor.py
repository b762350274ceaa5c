"""The adaptor itself: its name, its credential, its connection."""

from crossdock import Adaptor

from crossdock_dhis2.client import Dhis2Client
from crossdock_dhis2.configuration import Dhis2Configuration

_FORMERLY = {
    "apiVersion": "api_version",
    "parseAs": "parse",
    "params": "query",
    "options": "query",
    "data": "record",
    "payload": "record",
    "importStrategy": "strategy",
    "atomicMode": "query",
    "resourceType": "resource",
    "type": "resource",
    "id": "uid",
}
"""What options of OpenFn's dhis2 adaptor are called here."""

adaptor = Adaptor(
    "dhis2",
    configuration=Dhis2Configuration,
    connect=Dhis2Client,
    verify=Dhis2Client.verify,
    renamed=_FORMERLY,
)
