"""The job of a rehearsal."""

from crossdock import Job, State


def same(state: State) -> State:
    """Do nothing."""
    return state


job = Job(same)
