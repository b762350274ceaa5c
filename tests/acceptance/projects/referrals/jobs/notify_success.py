"""Tell the partner agency that its referral was taken."""

from crossdock import Job, set_data, state
from crossdock.adaptors import http

saved = state.saved["data"]
number = state.data["progres_interventionnumber"]

job = Job(
    http.post(
        "/primero/feedback",
        {
            "progres_interventionnumber": number,
            "status": "Pending Acknowledgement",
            "case_id": saved["case_id"],
            "primero_user": saved["owned_by"],
            "request_type": "Feedback",
        },
    ).into("told"),
    set_data({"intervention": number, "result": "OK", "case_id": saved["case_id"]}),
)
