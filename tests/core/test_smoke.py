from crossdock import set_data


def test_smoke(run_job):
    assert run_job(set_data(1)).outcome == "success"


def test_pg(postgres):
    assert postgres.execute("select 1 as a") == [{"a": 1}]
