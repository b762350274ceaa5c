"""What reports mean for a run: success, partial, failed, or nobody knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crossdock import Answer, put_aside, warn

from crossdock_dhis2.errors import Dhis2Error, Dhis2WarningError, UnexpectedResponseError
from crossdock_dhis2.kinds import uids_in
from crossdock_dhis2.options import Policy
from crossdock_dhis2.report import Conflict, Counts, Report, Status, as_if_written, read_report

_FIRST = 5
"""How many conflicts a message shows."""
_MOST = 20
"""How many conflicts the details of an error hold."""

Sent = Sequence[tuple[str | None, Any]]
"""Records as they were sent, each with its kind if it is a tracker's."""


@dataclass(frozen=True)
class Refused:
    """A record that DHIS2 did not take; without an item the report does not say which one."""

    index: int | None
    item: Any
    conflicts: list[Conflict]

    def error(self, what: str) -> Dhis2Error:
        """Give the error that says why, without values of the record."""
        uid = next((conflict.uid for conflict in self.conflicts if conflict.uid), None)
        reasons = ", ".join(conflict.shown for conflict in self.conflicts) or "it gives no reason for this record"
        named = f"{f' {uid}' if uid else ''}{f' (record {self.index})' if self.index is not None else ''}"
        codes = _codes(self.conflicts)
        return Dhis2Error(f"DHIS2 refused {what}{named}: {reasons}", errors=codes, uid=uid)


class Verdict:
    """What is known of an import so far: its counts, and what was refused.

    Args:
        what: What is imported, for messages.
        policy: What the job says of reports.
    """

    def __init__(self, what: str, policy: Policy) -> None:
        self.what = what
        self.policy = policy
        self.status: Status = "OK"
        self.counts = Counts()
        self.conflicts: list[Conflict] = []
        self.warnings: list[Conflict] = []
        self.refused: list[Refused] = []

    def add(self, answer: Answer, sent: Sent, start: int = 0, *, validated: bool = False, whole: bool = True) -> None:
        """Take in the answer to a request.

        Args:
            answer: The answer, which must hold a report.
            sent: The records that it is about, None where they are not known.
            start: Where the first of them stands in the whole import.
            validated: Whether DHIS2 only validated them.
            whole: Whether one that is refused refuses all of them.

        Raises:
            UnexpectedResponseError: It holds none.
        """
        report = read_report(answer.data)
        if report is None:
            raise UnexpectedResponseError(
                f"the answer to an import of {self.what} is no report: it counts nothing", status=answer.status
            )
        if validated:
            report = as_if_written(report, len(sent), whole=whole)
        found = _found(report, sent, start)
        self.status = max(self.status, report.status, key=("OK", "WARNING", "ERROR").index)
        self.counts = self.counts.plus(report.counts)
        self.warnings += report.warnings
        self.conflicts += [conflict for refused in found for conflict in refused.conflicts]
        if not self.policy.allow_ignored or report.status == "ERROR":
            self.refused += found

    def put_aside(self) -> None:
        """Keep the records that were refused in the state; the run ends as partial."""
        for refused in [] if self.policy.allow_ignored else self.refused:
            error = refused.error(self.what)
            put_aside(refused.item, error, index=refused.index, key=error.details["uid"])

    def pass_(self, answer: Answer) -> None:
        """Say what the whole comes to.

        Raises:
            Dhis2Error: Nothing was taken of what was sent, or a warning counts as an error.
        """
        if self.counts.accepted == 0 and (self.refused or self.status == "ERROR"):
            raise self._failure(answer)
        if self.status == "ERROR" and not self.refused and not self.counts.ignored:
            raise self._failure(answer)
        self.put_aside()
        if self.warnings or self.status == "WARNING" or (self.policy.allow_ignored and self.counts.ignored):
            self._warn(answer)

    def _failure(self, answer: Answer) -> Dhis2Error:
        return Dhis2Error(
            f"DHIS2 refused the import of {self.what}: {self.counts}{_listed(self.conflicts)}", **self._facts(answer)
        )

    def _warn(self, answer: Answer) -> None:
        """Tell the run of warnings, as the job wants it; records that were put aside have been told of."""
        if self.policy.on_warning == "error":
            told = f"DHIS2 imported {self.what} with warnings: {self.counts}{_listed(self.warnings)}"
            raise Dhis2WarningError(told, **self._facts(answer))
        if self.policy.on_warning == "warn" and (self.policy.allow_ignored or not self.refused):
            warn("dhis2_warning", of=self.what, errors=_codes([*self.warnings, *self.conflicts]), **self.counts.stats)

    def _facts(self, answer: Answer) -> dict[str, Any]:
        conflicts = self.conflicts or self.warnings
        shown = [conflict.facts() for conflict in conflicts[:_MOST]]
        facts = {"errors": _codes(conflicts), "stats": self.counts.stats, "conflicts": shown}
        return {"answer": answer, "status": answer.status, **facts}


def _found(report: Report, sent: Sent, start: int) -> list[Refused]:
    """Find the records that a report refuses."""
    by_index: dict[int | None, list[Conflict]] = {}
    where = _Places(sent)
    for conflict in report.conflicts:
        index = where.index_of(conflict)
        whole = None if index is None else index + start
        by_index.setdefault(index, []).append(replace(conflict, index=whole))
    if report.counts.accepted == 0 and (report.counts.ignored or report.status == "ERROR"):
        for index in range(len(sent)):  # all or nothing: what had no fault of its own was refused with the others
            by_index.setdefault(index, [])
    unnamed = by_index.pop(None, [])
    known = sorted(index for index in by_index if index is not None)
    refused = [Refused(index + start, sent[index][1], by_index[index]) for index in known]
    if unnamed or report.counts.ignored > sum(_objects(*sent[index]) for index in known):
        refused.append(Refused(None, None, unnamed))
    return refused


class _Places:
    """Tells which of the records that were sent a conflict is about."""

    def __init__(self, sent: Sent) -> None:
        self._number = len(sent)
        self._alike = len({kind for kind, _ in sent}) == 1
        self._sent = sent
        self._by_uid: dict[str, int] | None = None

    def index_of(self, conflict: Conflict) -> int | None:
        """Give the index; the index of a report counts within a kind, so an identifier is better."""
        if self._by_uid is None:
            uids = ((uid, i) for i, (kind, item) in enumerate(self._sent) if kind for uid in uids_in(item, kind))
            self._by_uid = dict(uids)
        if conflict.uid in self._by_uid:
            return self._by_uid[conflict.uid]
        if conflict.index is not None and self._alike:
            return conflict.index if 0 <= conflict.index < self._number else None
        return 0 if self._number == 1 else None


def _objects(kind: str | None, item: Any) -> int:
    """Count the objects in a record: the tracker counts those that stand in others, too."""
    if kind is None or not isinstance(item, Mapping):
        return 1
    nested = [("enrollments", child) for child in item.get("enrollments") or ()]
    nested += [("events", child) for child in item.get("events") or ()]
    return 1 + sum(_objects(*child) for child in nested) + len(item.get("relationships") or ())


def _codes(conflicts: Sequence[Conflict]) -> list[str]:
    return list(dict.fromkeys(conflict.code for conflict in conflicts if conflict.code))


def _listed(conflicts: Sequence[Conflict]) -> str:
    if not conflicts:
        return "; it gives no reason"
    shown = [f"{c.shown}{_at(c)}" for c in conflicts[:_FIRST]]
    more = len(conflicts) - len(shown)
    return f"; {', '.join(shown)}{f' and {more} more' if more else ''}"


def _at(conflict: Conflict) -> str:
    named = [f"record {conflict.index}"] if conflict.index is not None else []
    named += [conflict.uid] if conflict.uid else []
    return f" ({', '.join(named)})" if named else ""
