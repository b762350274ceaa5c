"""Hand every household that Salesforce reports on to CommCare, as a form that updates its case."""

from crossdock import Job, JobError, build_xml, each, now
from crossdock.adaptors import http
from crossdock.values import as_list, null_if

RECEIVER = "/a/demo-health/receiver/api/"
FORM = "http://openrosa.org/formdesigner/980C10CD-B3B1-4010-1225-E25C6E8AFF48"
CASE = "http://commcarehq.org/case/transaction/v2"
META = "http://openrosa.org/jr/xforms"
USER_ID = "e298884bfb6ee2d2b38591a6e8ae0228"
DEFAULT_OWNER = "acf8595692c76095eb5afd809c628091"


def notifications(state):
    return as_list(state.data["Envelope"]["Body"]["notifications"]["Notification"])


def name_of(household):
    return null_if(household.get("Name"), household["Id"]) or household.get("Household_Code_Autonumber__c")


def members_over_5(household):
    members, under_5 = household.get("Total_Number_of_Members__c"), household.get("Total_Number_of_Under_5s__c")
    return None if members is None or under_5 is None else members - under_5


def form(household, at):
    return {
        "data": {
            "@xmlns": FORM,
            "@uiVersion": "1",
            "@version": "46",
            "@name": "Update Household",
            "Household_Status": "No" if household.get("Active_Household__c") is False else "Yes",
            "name": name_of(household),
            "area": household.get("Area__c"),
            "case": case(household, at),
            "meta": {"@xmlns": META, "deviceID": "openfn-py", "timeStart": at, "timeEnd": at, "userID": USER_ID},
        }
    }


def case(household, at):
    return {
        "@xmlns": CASE,
        "@case_id": household["Commcare_Code__c"],
        "@date_modified": at,
        "@user_id": USER_ID,
        "update": {
            "case_name": name_of(household),
            "owner_id": household.get("chw_owner_id__c") or DEFAULT_OWNER,
            "case_type": "Household",
            "WASH_Compliant": "Yes" if household.get("WASH_Compliant__c") is True else "No",
            "Kitchen_Garden": household.get("Kitchen_Garden__c"),
            "Uses_ITNs": household.get("Uses_ITNs__c"),
            "Rubbish_Pit": household.get("Rubbish_Pit__c"),
            "Total_Over_5": members_over_5(household),
        },
        "index": {"parent": {"@case_type": "Area", "#text": household.get("Area_Case_ID__c")}},
    }


def submit(state):
    household = state.data["sObject"]
    document = build_xml(form(household, at=f"{now():%Y-%m-%dT%H:%M:%SZ}"))
    answer = http.post(RECEIVER, body=document, content_type="text/xml; charset=utf-8").result()
    message = answer["OpenRosaResponse"]["message"]
    if message["@nature"] != "submit_success":
        details = {"nature": message["@nature"], "message": message.get("#text")}
        raise JobError("COMMCARE_REJECTED", "CommCare took the form and refused what it says", **details)
    return state.result(household["Id"])


job = Job(
    each(notifications, submit).into("sent"),
    lambda state: state.only("sent"),
)
