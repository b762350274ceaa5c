"""Why the store did not do what it was asked.

StoreError                    something in the store did not go as asked
├── StoreUnavailableError     the database can't be reached, or others kept it busy
├── StoreFullError            there is no space for more
├── StoreDamagedError         the file is damaged, or no store
├── NewerStoreError           a newer crossdock made it
├── OlderStoreError           an older crossdock made it, and nobody brought it up yet
├── StoreInUseError           another server uses it
├── StoreMissingError         there is none yet
├── BacklogError              too many runs wait
├── IdReusedError             an idempotency key came again with another body
├── StaleLeaseError           the run belongs to another worker now, or to nobody
├── NoRecordError             there is no such message or run
├── WipedError                what would be run again was erased
├── RunStateError             the run is not in a state in which that can be done
└── WorkerGoneError           the worker that held a run was gone before its end
"""

from crossdock.errors import CrossdockError


class StoreError(CrossdockError):
    """Something in the store did not go as asked."""

    code = "store_error"
    fix = "Read what the database says, and look into its log."


class StoreUnavailableError(StoreError):
    """The database can't be reached, or others kept it busy for too long."""

    code = "store_unavailable"
    fix = "Look whether the database runs and can be reached, then try again."
    transient = True


class StoreConflictError(StoreError):
    """Another process wrote the same at the same time."""

    code = "store_conflict"
    fix = "Try it again."
    transient = True


class StoreFullError(StoreError):
    """There is no space for more in the store."""

    code = "store_full"
    fix = "Make space on the disk, or raise the limit of the store; nothing that was accepted is lost."
    transient = True


class StoreDamagedError(StoreError):
    """The file is damaged, or it is no store."""

    code = "store_damaged"
    fix = "Put a backup in its place; keep the damaged file, since `sqlite3 FILE .recover` may read more of it."
    outcome = "refused"


class NewerStoreError(StoreError):
    """The store was made by a newer crossdock."""

    code = "store_newer"
    fix = "Install the crossdock that made it, or a newer one."
    outcome = "refused"


class OlderStoreError(StoreError):
    """The store was made by an older crossdock, and nobody brought it up yet."""

    code = "store_older"
    fix = "Stop the server that uses it, then start this one, or run `crossdock store upgrade`."
    outcome = "refused"


class StoreInUseError(StoreError):
    """Another server uses the store."""

    code = "store_in_use"
    fix = "Stop the other server, or give this one a store of its own."
    outcome = "refused"


class StoreMissingError(StoreError):
    """There is no store yet, or none can be made there."""

    code = "store_missing"
    fix = "Start `crossdock serve` once, or name the store that it uses."
    outcome = "refused"


class BacklogError(StoreError):
    """Too many runs wait for a worker."""

    code = "backlog_full"
    fix = "Send it again later."
    transient = True


class IdReusedError(StoreError):
    """An idempotency key came again with another body."""

    code = "id_reused"
    fix = "Give each message an id of its own, and send it again only with the same body."


class StaleLeaseError(StoreError):
    """The run belongs to another worker now, or to nobody."""

    code = "stale_lease"
    fix = "Drop what this attempt did; the run goes on elsewhere, or has ended."


class NoRecordError(StoreError):
    """There is no such message or run."""

    code = "no_record"
    fix = "List what there is with `crossdock messages list` or `crossdock runs list`."
    outcome = "refused"


class WipedError(StoreError):
    """What would be run again was erased."""

    code = "wiped"
    fix = "Ask the sender for the message again; the retention of the project says when payloads are erased."
    outcome = "refused"


class RunStateError(StoreError):
    """The run is not in a state in which that can be done."""

    code = "run_state"
    fix = "Look at it with `crossdock runs show`."
    outcome = "refused"


class WorkerGoneError(StoreError):
    """The worker that held a run was gone before its end."""

    code = "worker_gone"
    fix = "Look into the log of the server for why it ended, then replay the run."
    outcome = "crashed"
