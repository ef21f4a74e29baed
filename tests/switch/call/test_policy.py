"""The one gate as a matrix: every origin to every class of destination in every state of the line.

What is expected is written down here by row and column, after sections 8 and 11 of the domain guide, and
knows nothing of the code.
"""

from __future__ import annotations

from itertools import product

import pytest

from switch.call.admission import Admission, Refusal
from switch.call.gate import Ask
from switch.call.policy import MOST_DIVERSIONS, Origin, Party, join_objection
from switch.call.reasons import REASONS
from switch.routing.lines import Line
from switch.sip.auth import Account
from switch.sip.history import Diverted
from tests.switch.call.test_gate import ADDRESS, PEAK, Desk

DESTINATIONS = {
    "emergency": "112",
    "police": "101",
    "helpline": "107",
    "poison-centre": "070245245",
    "freephone": "080012345",
    "fixed": "022345678",
    "mobile": "0478123456",
    "078": "078123456",
    "070": "070123456",
    "0900": "090012345",
    "short": "1207",
    "voicemail": "1233",
    "zone-a": "0033142345678",
    "morocco": "00212661123456",
    "world": "00385123456789",
    "unserved": "00870123456789",
    "nonsense": "12",
}
ABROAD = {"zone-a", "morocco", "world"}
STATES = ("active", "cap-reached", "limited", "restricted", "suspended", "terminated", "quarantine")
SENT_ON = ("forward", "redirect", "transfer")
ORIGINS = ("dialled", *SENT_ON, "voicemail", "callback")
FREE_AT_PEAK = {"freephone", "voicemail"}
"""What costs a Classic line nothing at peak, helplines apart."""


def expected(origin: str, destination: str, state: str, papers: bool) -> str:
    """The reason code, '' for allowed."""
    if destination == "nonsense":
        return "bad-number"
    if destination == "unserved":
        return "no-destination"
    if origin in ("voicemail", "callback"):
        return "voicemail"
    if destination in ("emergency", "police"):
        return f"{origin}-emergency" if origin in SENT_ON else ""
    if destination in ("helpline", "poison-centre"):
        return ""
    if state in ("restricted", "suspended", "terminated", "quarantine"):
        return f"line-{state}"
    if destination in ("070", "0900"):
        return f"{origin}-premium" if origin in SENT_ON else "barred-premium"
    if destination in ABROAD and origin in SENT_ON and not papers:
        return f"{origin}-international"
    if destination in FREE_AT_PEAK:
        return ""
    return {"cap-reached": "cap-reached", "limited": "line-limited"}.get(state, "")


def a_line(state: str, *, agreement: bool = False, guarantee: bool = False) -> Line:
    return Line(
        user="someone",
        numbers=("+3221112233",),
        account=Account({}, ()),
        plan="classic",
        state="active" if state == "cap-reached" else state,
        address=ADDRESS,
        cap="0.00" if state == "cap-reached" else "none",
        agreement=agreement,
        guarantee=guarantee,
    )


def answer(desk: Desk, origin: str, dialled: str, line: Line) -> str:
    decided = desk.gate.decide(Ask(Origin(origin), line, dialled, line.number), PEAK)
    return decided.verdict if isinstance(decided, Refusal) else ""


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("origin", ORIGINS)
def test_every_leg_in_every_state(origin: str, destination: str, state: str, desk: Desk) -> None:
    """Without papers, with one of them, and with both (R-POL-02)."""
    for agreement, guarantee in product((False, True), repeat=2):
        line = a_line(state, agreement=agreement, guarantee=guarantee)
        told = answer(desk, origin, DESTINATIONS[destination], line)
        assert told == expected(origin, destination, state, agreement and guarantee)


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_line_that_may_not_call_abroad(destination: str, desk: Desk) -> None:
    line = Line(
        "someone", ("+3221112233",), Account({}, ()), "classic", address=ADDRESS, cap="none", abroad=False
    )
    told = answer(desk, "dialled", DESTINATIONS[destination], line)
    usual = expected("dialled", destination, "active", papers=False)
    assert told == ("barred-international" if destination in ABROAD else usual)


def test_premium_numbers_that_are_not_barred_are_dialled_and_nothing_else(desk: Desk) -> None:
    line = Line(
        "someone", ("+3221112233",), Account({}, ()), "classic", address=ADDRESS, cap="none", premium=True
    )
    assert answer(desk, "dialled", "070123456", line) == ""
    for origin in SENT_ON:
        assert answer(desk, origin, "070123456", line) == f"{origin}-premium"


@pytest.mark.parametrize("count", range(8))
def test_five_diversions_and_no_more(count: int, desk: Desk) -> None:
    """R-POL-11."""
    line = a_line("active")
    chain = tuple(Diverted(f"+3222222{index:03d}", "user-busy") for index in range(count))
    decided = desk.gate.decide(Ask(Origin.FORWARD, line, "0478123456", line.number, chain=chain), PEAK)
    told = decided.verdict if isinstance(decided, Refusal) else ""
    assert told == ("too-many-diversions" if count > MOST_DIVERSIONS else "")


@pytest.mark.parametrize(
    ("origin", "told"), [("forward", "diversion-loop"), ("redirect", "diversion-loop"), ("transfer", "")]
)
def test_where_a_call_has_been_it_is_not_sent_again(origin: str, told: str, desk: Desk) -> None:
    """But handed back it may be."""
    line = a_line("active")
    chain = (Diverted(line.number, "user-busy"), Diverted("+32478123456", "unconditional"))
    decided = desk.gate.decide(Ask(Origin(origin), line, "0478123456", line.number, chain=chain), PEAK)
    assert (decided.verdict if isinstance(decided, Refusal) else "") == told


COLLEAGUE = Party("+3221112299", a_line("active"))
NEIGHBOUR, PARIS = Party("+32478123456", None), Party("+33142345678", None)
ROAMER, NOBODY = Party("+32478123456", None, abroad=True), Party("", None)


@pytest.mark.parametrize(
    ("one", "other", "papers_needed"),
    [
        (COLLEAGUE, COLLEAGUE, False),
        (COLLEAGUE, NEIGHBOUR, False),
        (COLLEAGUE, PARIS, False),
        (NEIGHBOUR, NEIGHBOUR, False),
        (NEIGHBOUR, NOBODY, False),
        (NEIGHBOUR, PARIS, True),
        (PARIS, PARIS, True),
        (NOBODY, PARIS, True),
        (NEIGHBOUR, ROAMER, True),
    ],
)
def test_who_may_be_joined(one: Party, other: Party, papers_needed: bool) -> None:
    """R-POL-02: an outside party to an international one, whichever of them it is."""
    for agreement, guarantee in product((False, True), repeat=2):
        line = a_line("active", agreement=agreement, guarantee=guarantee)
        refused = papers_needed and not (agreement and guarantee)
        for pair in ((one, other), (other, one)):
            told = join_objection(line, *pair)
            assert told == ("transfer-joins-international" if refused else "")
    assert join_objection(a_line("suspended"), one, other) == "line-suspended"


@pytest.mark.parametrize("other", [COLLEAGUE, NEIGHBOUR, PARIS, NOBODY])
def test_the_voicemail_is_joined_to_nobody(other: Party) -> None:
    """R-POL-01, whatever papers there are."""
    voicemail = Party("1233", None, voicemail=True)
    line = a_line("active", agreement=True, guarantee=True)
    assert join_objection(line, voicemail, other) == "voicemail"
    assert join_objection(line, other, voicemail) == "voicemail"


def test_every_reason_is_one_that_a_phone_can_be_told() -> None:
    for code, reason in REASONS.items():
        assert 400 <= reason.status < 700, code
        assert 1 <= reason.cause <= 127, code
        assert reason.text.isascii(), code
        assert '"' not in reason.text, code


def test_the_matrix_is_what_an_admission_is_made_of(desk: Desk) -> None:
    """`leave` and with it the call path ask the same function."""
    line = a_line("active")
    assert isinstance(desk.gate.leave(Ask(Origin.DIALLED, line, "0478123456", line.number), PEAK), Admission)
    refused = desk.gate.leave(Ask(Origin.FORWARD, line, "0033142345678", line.number), PEAK)
    assert isinstance(refused, Refusal)
    assert refused.verdict == "forward-international"
    assert refused.fields == {
        "Reason": ['Q.850;cause=55;text="no forwarding to international destinations"'],
        "Warning": ['399 belswitch "forward-international: no forwarding to international destinations"'],
    }
