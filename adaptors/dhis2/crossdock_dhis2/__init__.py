"""The adaptor for DHIS2."""

from crossdock_dhis2.operations import Dhis2Configuration, Dhis2Error, adaptor, create, get

__all__ = ["Dhis2Configuration", "Dhis2Error", "adaptor", "create", "get"]
