"""Whom a port listens to, as a table: who may be learnt, who sent and was let in, where packets go then."""

from __future__ import annotations

import pytest

from switch.relay.latch import ANY_HOST, Latch

SIGNALLED = ("10.0.0.7", 4000)
SAME_HOST = ("10.0.0.7", 51000)
SAME_HOST_LATER = ("10.0.0.7", 51001)
NAT = ("192.0.2.1", 62000)
NAT_LATER = ("192.0.2.1", 62001)
THIEF = ("198.51.100.66", 4000)


def offer(latch: Latch, source: tuple[str, int]) -> bool:
    """As the relay asks: only for a source that is not the present one."""
    return source == latch.source or latch.admit(source)


@pytest.mark.parametrize(
    ("learn_host", "arrivals", "target"),
    [
        pytest.param(None, "", SIGNALLED, id="nothing received: to the signalled address"),
        pytest.param(None, "S+ S+", SIGNALLED, id="pinned"),
        pytest.param(None, "T-", SIGNALLED, id="stranger first"),
        pytest.param(None, "T- S+ T-", SIGNALLED, id="stranger, then the party, then the stranger again"),
        pytest.param(None, "N-", SIGNALLED, id="NAT unknown to the core"),
        pytest.param(None, "H+", SAME_HOST, id="another port of the signalled host"),
        pytest.param(None, "H+ L-", SAME_HOST, id="learnt once, then locked"),
        pytest.param(None, "H+ S+ H-", SIGNALLED, id="the signalled address takes over and stays"),
        pytest.param("192.0.2.1", "N+", NAT, id="learnt from the host behind the signalling"),
        pytest.param("192.0.2.1", "T- N+ T-", NAT, id="a stranger neither before nor after"),
        pytest.param("192.0.2.1", "N+ M-", NAT, id="another port of the same host may not steal"),
        pytest.param("192.0.2.1", "N+ H-", NAT, id="nor another port of the signalled host"),
        pytest.param("192.0.2.1", "N+ S+ N-", SIGNALLED, id="learnt yields to signalled only"),
        pytest.param(ANY_HOST, "T+ N-", THIEF, id="any host: the first one wins"),
        pytest.param(ANY_HOST, "S+ T-", SIGNALLED, id="any host: pinned all the same"),
        pytest.param(ANY_HOST, "T+ S+ T-", SIGNALLED, id="any host: the signalled address takes back"),
    ],
)
def test_latch(learn_host: str | None, arrivals: str, target: tuple[str, int]) -> None:
    who = {"S": SIGNALLED, "H": SAME_HOST, "L": SAME_HOST_LATER, "N": NAT, "M": NAT_LATER, "T": THIEF}
    latch = Latch()
    latch.aim(SIGNALLED, learn_host, sending=True)
    for arrival in arrivals.split():
        assert offer(latch, who[arrival[0]]) is (arrival[1] == "+"), arrival
    assert latch.target == target
    assert latch.strangers == arrivals.count("-")


def test_nobody_is_let_in_before_the_first_aim() -> None:
    latch = Latch()
    assert not latch.admit(SIGNALLED)
    assert latch.target is None


def test_aiming_anew_forgets_what_was_learnt() -> None:
    latch = Latch()
    latch.aim(SIGNALLED, "192.0.2.1", sending=True)
    assert latch.admit(NAT)
    moved = ("10.0.0.8", 4100)
    latch.aim(moved, None, sending=True)
    assert latch.target == moved
    assert not latch.admit(NAT)
    assert not latch.admit(SIGNALLED)
    assert latch.admit(moved)


def test_late_packets_from_where_the_party_was_do_not_lock_the_latch_there() -> None:
    latch = Latch()
    latch.aim(SIGNALLED, NAT[0], sending=True)
    assert latch.admit(NAT)
    latch.aim(("10.0.0.7", 4100), NAT[0], sending=True)
    assert latch.admit(NAT), "still in flight"
    assert latch.admit(NAT_LATER), "the party from its new port"
    assert not latch.admit(NAT)
    assert latch.target == NAT_LATER


def test_a_refresh_with_the_same_address_locks_again_where_the_party_is() -> None:
    latch = Latch()
    for _ in range(2):
        latch.aim(SIGNALLED, NAT[0], sending=True)
        assert latch.admit(NAT)
        assert not latch.admit(NAT_LATER)


def test_a_held_party_is_heard_but_sent_nothing() -> None:
    latch = Latch()
    latch.aim(("0.0.0.0", 0), "10.0.0.7", sending=False)
    assert latch.admit(SIGNALLED)
    assert latch.target is None


def test_an_ipv6_source_matches_without_flow_label_and_scope() -> None:
    latch = Latch()
    latch.aim(("2001:db8::7", 4000), None, sending=True)
    assert latch.admit(("2001:db8::7", 4000, 0, 0))
    assert latch.target == ("2001:db8::7", 4000, 0, 0)
