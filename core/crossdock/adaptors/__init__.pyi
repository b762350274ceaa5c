from collections.abc import Mapping
from types import ModuleType
from typing import Any

import crossdock_dhis2 as dhis2
import crossdock_http as http
import crossdock_kobotoolbox as kobotoolbox
import crossdock_postgresql as postgresql
import crossdock_sftp as sftp

__all__ = ["dhis2", "http", "kobotoolbox", "opened", "postgresql", "sftp"]

opened: Mapping[str, ModuleType]

def __getattr__(name: str) -> Any: ...
