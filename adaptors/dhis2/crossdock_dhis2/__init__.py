"""The adaptor for DHIS2."""

from crossdock_dhis2.adaptor import adaptor
from crossdock_dhis2.configuration import Dhis2Configuration
from crossdock_dhis2.errors import (
    AmbiguousMatchError,
    ApiVersionError,
    AuthFailedError,
    BaseUrlError,
    Dhis2Error,
    Dhis2RequestError,
    Dhis2WarningError,
    ImportJobError,
    LoginPageError,
    PeriodError,
    UidError,
    UnexpectedResponseError,
)
from crossdock_dhis2.periods import period
from crossdock_dhis2.reading import analytics, discover, find_one, get, get_all, import_job, org_units, tracker_export
from crossdock_dhis2.records import attribute, data_value, find_attribute_value
from crossdock_dhis2.uids import is_uid, uid
from crossdock_dhis2.writing import (
    create,
    data_values,
    delete,
    metadata_import,
    patch,
    save,
    tracker_import,
    update,
    upsert,
)

__all__ = [
    "AmbiguousMatchError",
    "ApiVersionError",
    "AuthFailedError",
    "BaseUrlError",
    "Dhis2Configuration",
    "Dhis2Error",
    "Dhis2RequestError",
    "Dhis2WarningError",
    "ImportJobError",
    "LoginPageError",
    "PeriodError",
    "UidError",
    "UnexpectedResponseError",
    "adaptor",
    "analytics",
    "attribute",
    "create",
    "data_value",
    "data_values",
    "delete",
    "discover",
    "find_attribute_value",
    "find_one",
    "get",
    "get_all",
    "import_job",
    "is_uid",
    "metadata_import",
    "org_units",
    "patch",
    "period",
    "save",
    "tracker_export",
    "tracker_import",
    "uid",
    "update",
    "upsert",
]
