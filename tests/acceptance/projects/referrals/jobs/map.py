"""Check a referral, and map it to the case of the person: a refusal is the sender's to mend."""

from crossdock import Job
from referrals import case_of, check  # the same in one job: there a function takes each referral all the way


def to_case(state):
    """Keep the case beside the referral."""
    check(state.data)
    return state.replace(case=case_of(state.data))


job = Job(to_case)
