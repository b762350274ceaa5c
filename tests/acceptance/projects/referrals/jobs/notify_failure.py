"""Tell the partner agency why its referral was not taken: that is its to mend."""

from crossdock import Job, set_data, state
from crossdock.adaptors import http

number = state.data["progres_interventionnumber"]
refusal = state.errors["map"]

job = Job(
    http.post(
        "/primero/feedback",
        {
            "progres_interventionnumber": number,
            "status": "Delivery Fail",
            "closure_reason": refusal["message"],
            "request_type": "Feedback",
        },
    ).into("told"),
    set_data({"intervention": number, "result": refusal["code"]}),
)
