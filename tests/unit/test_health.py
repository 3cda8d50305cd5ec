"""What `/health` answers, for a supervisor and for a load balancer."""

import orjson

from schemas.health import Check, Health, Status


def health(**statuses: Status) -> Health:
    return Health({name: Check(status, "a sentence") for name, status in statuses.items()})


def test_a_process_is_as_well_as_its_worst_check() -> None:
    assert health(kafka="ok", lag="ok").status == "ok"
    assert health(kafka="ok", lag="degraded").status == "degraded"
    assert health(kafka="failing", lag="degraded").status == "failing"
    assert health().status == "ok"


def test_only_what_fails_is_answered_with_503() -> None:
    assert health(lag="ok").http_status == health(lag="degraded").http_status == 200
    assert health(lag="failing").http_status == 503


def test_the_answer_names_each_check_with_its_sentence_and_numbers() -> None:
    lag = Check("degraded", "figures are stale", {"records": 7, "seconds": 12.5})
    assert orjson.loads(Health({"lag": lag}).as_json()) == {
        "status": "degraded",
        "checks": {"lag": {"status": "degraded", "says": "figures are stale", "records": 7, "seconds": 12.5}},
    }
