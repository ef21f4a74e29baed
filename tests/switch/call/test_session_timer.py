"""The timer of one leg by itself: RFC 4028 sections 7 to 10."""

from __future__ import annotations

import pytest

from switch.call.session_timer import SessionTimer, too_brief
from switch.timers import TimerQueue
from tests.switch.sip.support import Row, at, make_request, make_response, run_to


class Session:
    """A timer, and what it asked for."""

    def __init__(self, *, watched: bool = True) -> None:
        self.timers = TimerQueue(at(0))
        self.done: list[str] = []
        expired = (lambda: self.done.append("expired")) if watched else None
        self.timer = SessionTimer(self.timers, lambda: self.done.append("refresh"), expired)

    def grant(self, row: str, supported: str | None = "timer") -> dict[str, list[str]]:
        fields: dict[str, Row] = {"Session-Expires": row, "Supported": supported}
        return self.timer.grant(make_request("INVITE", "sip:x@example.com", fields=fields))

    def at(self, seconds: float) -> list[str]:
        run_to(self.timers, int(1000 * seconds))
        return self.done


@pytest.mark.parametrize(
    ("row", "least"), [("89", True), ("90", False), ("1", True), ("x", False), ("90;refresher=uac", False)]
)
def test_what_is_too_brief(row: str, least: bool) -> None:
    request = make_request("INVITE", "sip:x@example.com", fields={"Session-Expires": row})
    assert too_brief(request) == ({"Min-SE": ["90"]} if least else {})
    assert too_brief(make_request("INVITE", "sip:x@example.com")) == {}


@pytest.mark.parametrize(
    ("row", "supported", "told"),
    [
        ("100", "timer", "100;refresher=uac"),
        ("100;refresher=UAC", "100rel, Timer", "100;refresher=uac"),
        ("100;refresher=uas", "timer", "100;refresher=uas"),
        ("100 ; refresher = uas", "timer", "100;refresher=uas"),
        ("100;refresher=uac", None, "100;refresher=uas"),
        ("99999999999999", "timer", "86400;refresher=uac"),
        ("soon", "timer", "90;refresher=uac"),
    ],
)
def test_what_is_granted(row: str, supported: str | None, told: str) -> None:
    fields = Session().grant(row, supported)
    assert fields["Session-Expires"] == [told]
    assert ("Require" in fields) is told.endswith("uac")


def test_ours_is_refreshed_at_half_of_it_and_again_until_it_is_accepted() -> None:
    session = Session()
    session.grant("100;refresher=uas")
    assert session.timer.offer() == {"Session-Expires": ["100;refresher=uac"]}
    assert session.at(49.9) == []
    assert session.at(50) == ["refresh"]
    assert session.at(80) == ["refresh"] * 2
    session.timer.agreed(make_response(200, {"Session-Expires": "200;refresher=uac"}))
    assert session.at(179) == ["refresh"] * 2
    assert session.at(181) == ["refresh"] * 3


@pytest.mark.parametrize(("interval_s", "expires_s"), [(90, 60), (93, 62), (96, 64), (1800, 1768)])
def test_theirs_is_waited_for(interval_s: int, expires_s: int) -> None:
    session = Session()
    session.timer.agreed(make_response(200, {"Session-Expires": f"{interval_s};refresher=uas"}))
    assert session.timer.offer() == {"Session-Expires": [f"{interval_s};refresher=uas"]}
    assert session.at(expires_s - 0.1) == []
    assert session.at(expires_s) == ["expired"]
    assert len(session.timers) == 0


def test_a_call_for_help_waits_for_nothing() -> None:
    session = Session(watched=False)
    session.grant("90")
    assert session.at(10_000) == []
    assert len(session.timers) == 0


@pytest.mark.parametrize("how", ["request", "response", "stop"])
def test_how_it_ends(how: str) -> None:
    session = Session()
    session.grant("100")
    if how == "request":
        assert session.timer.grant(make_request("UPDATE", "sip:x@example.com")) == {}
    elif how == "response":
        session.timer.agreed(make_response(200))
    else:
        session.timer.stop()
    assert session.timer.offer() == {}
    assert session.at(1000) == []
