"""Finding: one mistake in a job, or one piece of advice, with its code and its fix."""

from enum import StrEnum, auto
from typing import NamedTuple


class Code(StrEnum):
    """The stable codes of findings; ``docs/check.md`` says what each one means."""

    SYNTAX_ERROR = auto()
    NO_JOB = auto()
    NOT_A_JOB = auto()
    UNKNOWN_NAME = auto()
    UNKNOWN_IMPORT = auto()
    UNKNOWN_OPERATION = auto()
    ADAPTOR_NOT_INSTALLED = auto()
    ADAPTOR_WRONG_API = auto()
    ADAPTOR_BROKEN = auto()
    UNKNOWN_OPTION = auto()
    UNKNOWN_CHOICE = auto()
    MISSING_ARGUMENT = auto()
    TOO_MANY_ARGUMENTS = auto()
    RESERVED_NAME = auto()
    HELPER_NOT_CALLED = auto()
    NOT_AN_OPERATION = auto()
    WRONG_PARAMETERS = auto()
    ASYNC_FUNCTION = auto()
    GENERATOR = auto()
    RETURNS_NOTHING = auto()
    RETURNS_NO_STATE = auto()
    OPERATION_DROPPED = auto()
    OPERATION_AS_VALUE = auto()
    STATE_DROPPED = auto()
    VALUE_DROPPED = auto()
    STATE_WRITTEN = auto()
    LAZY_MISUSED = auto()
    IO_AT_IMPORT = auto()
    RUN_AT_IMPORT = auto()
    SECRET_INLINE = auto()
    CREDENTIAL_INVALID = auto()
    CREDENTIAL_MISSING = auto()
    CREDENTIAL_AMBIGUOUS = auto()
    CREDENTIAL_OF_ANOTHER_ADAPTOR = auto()
    CREDENTIAL_FIELD_MISSING = auto()
    CREDENTIAL_FIELD_UNKNOWN = auto()
    CREDENTIAL_FIELD_INVALID = auto()
    UNKNOWN_CODE = auto()
    WRONG_NOTATION = auto()
    UNKNOWN_KEY = auto()
    MISSING_KEY = auto()
    EMPTY_KEY = auto()
    WRONG_VALUE = auto()
    WRONG_NAME = auto()
    NAME_TWICE = auto()
    WRONG_CRON = auto()
    WRONG_TIMEZONE = auto()
    FILTER_NEVER_MATCHES = auto()
    WEBHOOKS_DISAGREE = auto()
    UNKNOWN_STEP = auto()
    UNKNOWN_WORKFLOW = auto()
    UNKNOWN_SETTING = auto()
    CIRCLE = auto()
    UNREACHABLE_STEP = auto()
    FILE_MISSING = auto()
    FUNCTION_MISSING = auto()
    CREDENTIAL_NOT_LISTED = auto()
    ADAPTOR_NOT_ALLOWED = auto()
    ADVICE_MIXED_WRITES = auto()
    ADVICE_UNUSED_RESULT = auto()
    ADVICE_NO_STORE = auto()
    ADVICE_UNDOCUMENTED = auto()


class Finding(NamedTuple):
    """One mistake, or one piece of advice."""

    file: str
    line: int
    code: Code
    message: str
    fix: str

    @property
    def is_advice(self) -> bool:
        """Whether the job runs as it is, and something is worth a thought."""
        return self.code.startswith("advice_")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code} {self.message} → {self.fix}"
