"""Where a call was sent on from: Diversion (RFC 5806) and History-Info (RFC 7044), read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.history import MOST_READ, Diverted, chain_of, sent_on
from tests.switch.sip.support import Row, make_request

A, B, C = "+3216234567", "+3222345678", "+3281234567"


def chain(**fields: Row) -> tuple[str, ...]:
    named = {name.replace("_", "-"): row for name, row in fields.items()}
    return chain_of(make_request("INVITE", "sip:x@y", "", named))


def test_a_call_that_was_dialled_has_no_chain() -> None:
    assert chain() == ()


def test_diversions_are_the_last_one_first() -> None:
    row = f"<sip:{B}@x;user=phone>;reason=user-busy;counter=2, <tel:{A}>;reason=no-answer"
    assert chain(Diversion=row) == (B, A)


def test_history_is_read_backwards_and_only_where_it_was_sent_on() -> None:
    """The first entry is who was called first, the last where it goes now."""
    row = f"<sip:{A}@x>;index=1, <sip:{B}@x;cause=486>;index=1.1, <sip:{C}@x;cause=302>;index=1.2"
    assert chain(History_Info=row) == (B, A)


def test_a_proxy_that_only_routes_is_no_diversion() -> None:
    """An entry without cause tells that the call passed, not that it was sent on (RFC 7044 section 5)."""
    assert chain(History_Info=f"<sip:{A}@x>;index=1, <sip:{A}@y>;index=1.1;rc=1") == ()


def test_an_escaped_reason_in_the_uri_is_one() -> None:
    """As RFC 4244 had it."""
    row = f"<sip:{A}@x>;index=1, <sip:{B}@x?Reason=SIP%3Bcause%3D302>;index=1.1"
    assert chain(History_Info=row) == (A,)


def test_of_both_the_one_that_tells_more() -> None:
    history = f"<sip:{A}@x>;index=1, <sip:{B}@x;cause=302>;index=1.1"
    assert chain(Diversion=f"<sip:{C}@x>, <sip:{B}@x>", History_Info=history) == (C, B)


@pytest.mark.parametrize("row", ["nonsense", "<sip:>", "<http://x>", "", '"'])
def test_what_cannot_be_read_counts_all_the_same(row: str) -> None:
    assert len(chain(Diversion=f"<sip:{A}@x>, {row or '<x>'}")) == 2


def test_a_chain_longer_than_any_call_may_be_is_not_read_to_its_end() -> None:
    assert len(chain(Diversion=", ".join([f"<sip:{A}@x>"] * 500))) == MOST_READ


def test_what_is_written() -> None:
    fields = sent_on((Diverted(B, "no-answer"), Diverted(A, "unconditional")), C, "voice.example")
    assert fields["Diversion"] == [
        f"<sip:{B}@voice.example;user=phone>;reason=no-answer;counter=1",
        f"<sip:{A}@voice.example;user=phone>;reason=unconditional;counter=1",
    ]
    assert fields["History-Info"] == [
        f"<sip:{A}@voice.example;user=phone>;index=1",
        f"<sip:{B}@voice.example;user=phone;cause=302>;index=1.1",
        f"<sip:{C}@voice.example;user=phone;cause=408>;index=1.1.1",
    ]
    assert sent_on((), C, "voice.example") == {}


REASONS = st.sampled_from(["unconditional", "user-busy", "no-answer", "unavailable", "deflection"])


@given(
    st.lists(st.builds(Diverted, st.from_regex(r"\+32[1-9][0-9]{7}", fullmatch=True), REASONS), max_size=6)
)
def test_what_is_written_reads_back_from_either_field(diverted: list[Diverted]) -> None:
    fields = sent_on(tuple(diverted), C, "voice.example")
    for name in ("Diversion", "History-Info"):
        request = make_request("INVITE", "sip:x@y", "", {name: fields[name]} if fields else {})
        assert chain_of(request) == tuple(one.number for one in diverted)
