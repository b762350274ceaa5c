"""The cleaning that real jobs copy from each other, done once.

None, the empty text and blanks give None; what can't be read is a JobError, never a guess. Its
message shows at most 40 characters of the value, and where that came from if ``name`` says it.
"""

from crossdock.common.paths import value_at
from crossdock.values.answers import choices, yes_no
from crossdock.values.blanks import as_list, clean, null_if
from crossdock.values.dates import age_on, date, datetime, last_day
from crossdock.values.digests import decode_base64, encode_base64, hmac_sha256, sha256, uuid_of
from crossdock.values.numbers import number
from crossdock.values.tables import Table, TableError, table
from crossdock.values.words import join_nonempty, strip_tags, text, title

__all__ = [
    "Table",
    "TableError",
    "age_on",
    "as_list",
    "choices",
    "clean",
    "date",
    "datetime",
    "decode_base64",
    "encode_base64",
    "hmac_sha256",
    "join_nonempty",
    "last_day",
    "null_if",
    "number",
    "sha256",
    "strip_tags",
    "table",
    "text",
    "title",
    "uuid_of",
    "value_at",
    "yes_no",
]
