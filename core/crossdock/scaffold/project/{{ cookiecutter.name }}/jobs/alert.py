"""Say why the visits could not be cleaned."""

from crossdock import Job


def tell(state):
    error = state.errors["clean"]
    return state.replace(data={"alert": f"{error['code']}: {error['message']}"})


job = Job(tell)
