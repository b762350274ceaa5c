"""Leave what became of each referral."""

from crossdock import Job, State

job = Job(lambda state: State(results=state.data))
