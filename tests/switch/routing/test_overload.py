"""Which new calls and registrations are put off."""

from __future__ import annotations

import pytest

from switch.ports import NS_PER_S
from switch.routing.bucket import Bucket
from switch.routing.overload import MOST_HOSTS, Overload, OverloadSettings
from tests.switch.sip.support import Chance

RATE = 100


def overload(rate: int = RATE, *, strained: bool = False) -> Overload:
    made = Overload(OverloadSettings(rate), Chance())
    made.strained = strained
    return made


def taken(
    by: Overload, host: str, count: int, *, at_s: float = 100.0, method: str = "INVITE", proven: bool = True
) -> int:
    """How many of `count` at the same moment are taken."""
    now_ns = int(at_s * NS_PER_S)
    return sum(not by.refuses(method, host, proven=proven, now_ns=now_ns) for _ in range(count))


@pytest.mark.parametrize("rate", [1, 20, 999])
def test_a_bucket_gives_what_comes_in_a_second(rate: int) -> None:
    bucket = Bucket(rate)
    assert sum(bucket.take(NS_PER_S) for _ in range(3 * rate)) == rate
    later = [NS_PER_S + step * NS_PER_S // 1000 for step in range(2001)]
    assert abs(sum(bucket.take(now) for now in later) - 2 * rate) <= 1


def test_nothing_is_asked_while_nothing_is_configured_and_all_goes_well() -> None:
    assert not overload(0).limits
    assert overload(0, strained=True).limits
    assert overload(1).limits


def test_a_flood_from_one_host_leaves_others_their_share() -> None:
    made = overload()
    assert taken(made, "192.0.2.66", 10_000) == RATE - RATE // 5
    assert [taken(made, f"192.0.2.{n}", 1) for n in range(1, 11)] == [1] * 10
    assert made.refused == {"INVITE": 10_000 - 80, "REGISTER": 0}


def test_who_was_served_lately_is_not_quiet() -> None:
    made = overload()
    taken(made, "192.0.2.66", 1000)
    assert taken(made, "192.0.2.1", 3) == 1
    taken(made, "192.0.2.66", 1000, at_s=102.5)
    assert taken(made, "192.0.2.1", 3, at_s=102.5) == 1


def test_strained_gives_out_the_kept_share_only() -> None:
    made = overload(strained=True)
    assert taken(made, "192.0.2.66", 500) == 1
    assert sum(taken(made, f"192.0.2.{n}", 1) for n in range(100)) == RATE // 5 - 1


def test_an_invite_that_proves_nothing_yet_takes_no_token() -> None:
    made = overload()
    assert taken(made, "192.0.2.1", 1000, proven=False) == 1000
    assert taken(made, "192.0.2.1", 50) == 50
    taken(made, "192.0.2.66", 1000)
    assert taken(made, "192.0.2.66", 10, proven=False) == 0, "what is to follow would be refused"


def test_registrations_come_in_at_a_steady_rate_while_strained() -> None:
    made = overload()
    assert taken(made, "192.0.2.1", 5000, method="REGISTER") == 5000
    made.strained = True
    assert taken(made, "192.0.2.1", 5000, method="REGISTER") == 200
    assert taken(made, "192.0.2.1", 5000, method="REGISTER", at_s=100.5) == 100


def test_they_come_again_at_different_times() -> None:
    made = overload(1, strained=True)
    taken(made, "192.0.2.66", 10)
    taken(made, "192.0.2.66", 200, method="REGISTER")
    waits = {method: set[int]() for method in ("INVITE", "REGISTER")}
    for method, found in waits.items():
        found.update(
            made.refuses(method, "192.0.2.66", proven=True, now_ns=100 * NS_PER_S) for _ in range(500)
        )
    assert waits["INVITE"] == set(range(1, 5))
    assert waits["REGISTER"] == set(range(5, 31))


def test_hosts_are_not_remembered_without_end() -> None:
    made = overload(100_000)
    for number in range(3 * MOST_HOSTS):
        made.refuses("INVITE", f"10.0.{number >> 8}.{number & 255}", proven=True, now_ns=NS_PER_S)
    assert len(made._recent) == MOST_HOSTS
