from __future__ import annotations

import errno

import pytest

from switch.config.model import PortRange
from switch.doctor.network import (
    Attempt,
    Named,
    PortFacts,
    Running,
    address,
    media_host,
    media_ports,
    names,
    switch,
)
from switch.ports import Address

SIP = Address("192.0.2.1", 5060)
RANGE = PortRange(first=30_000, last=30_999)


@pytest.mark.parametrize(("running", "state"), [("no", "ok"), ("yes", "ok"), ("silent", "fault")])
def test_a_switch_that_runs_has_to_answer(running: Running, state: str) -> None:
    assert switch(running).state == state


@pytest.mark.parametrize(
    ("code", "running", "state", "told"),
    [
        (0, "no", "ok", "udp 192.0.2.1:5060 is free"),
        (0, "yes", "warning", "udp 192.0.2.1:5060 is free, though the switch is running"),
        (errno.EADDRINUSE, "no", "fault", "udp 192.0.2.1:5060 is taken"),
        (errno.EADDRINUSE, "yes", "ok", "udp 192.0.2.1:5060 is held, and the switch is running"),
        (errno.EADDRINUSE, "silent", "ok", "udp 192.0.2.1:5060 is held, and the switch is running"),
        (errno.EADDRNOTAVAIL, "yes", "fault", "192.0.2.1 is no address of this machine"),
        (errno.EACCES, "no", "fault", "udp 192.0.2.1:5060 may not be had: ports this low take a capability"),
        (errno.EAFNOSUPPORT, "no", "fault", None),
    ],
)
def test_an_address_to_listen_on(code: int, running: Running, state: str, told: str | None) -> None:
    finding = address(Attempt("sip.listen[0]", "udp", SIP, code), running)
    assert (finding.what, finding.state) == ("sip.listen[0]", state)
    assert told in (None, finding.told)
    assert bool(finding.remedy) == (state != "ok")


def test_an_ipv6_address_is_written_in_brackets() -> None:
    finding = address(Attempt("sip.listen[0]", "tls", Address("2001:db8::1", 5061), 0), "no")
    assert finding.told == "tls [2001:db8::1]:5061 is free"


def test_an_address_for_media() -> None:
    assert media_host(Attempt("media.hosts[0]", "udp", Address("192.0.2.1", 0), 0)).state == "ok"
    wrong = media_host(Attempt("media.hosts[0]", "udp", Address("192.0.2.1", 0), errno.EADDRNOTAVAIL))
    assert wrong.state == "fault"
    assert "media.hosts[0]" in wrong.remedy


def test_media_ports_that_nobody_else_has_or_gets() -> None:
    facts = PortFacts(taken=(), dealt=(32_768, 60_999))
    assert [one.state for one in media_ports(RANGE, facts, "no")] == ["ok"]


def test_media_ports_that_others_hold_are_named_a_few_of_them() -> None:
    facts = PortFacts(taken=tuple(range(30_000, 30_010)))
    (finding,) = media_ports(RANGE, facts, "no")
    assert finding.state == "warning"
    assert finding.told == "of 30000-30999 others hold 10: 30000, 30001, 30002, 30003, 30004, ..."


def test_media_ports_of_the_running_switch_are_its_own() -> None:
    (finding,) = media_ports(RANGE, PortFacts(taken=(30_000,)), "yes")
    assert finding.state == "ok"


@pytest.mark.parametrize(
    ("dealt", "kept_back", "exposed"),
    [
        ((30_900, 60_999), (), 100),
        ((1024, 60_999), (), 1000),
        ((1024, 60_999), ((30_000, 30_999),), 0),
        ((1024, 60_999), ((5060, 5060), (30_000, 30_989)), 10),
        ((31_000, 60_999), (), 0),
    ],
)
def test_media_ports_that_the_kernel_deals_out(
    dealt: tuple[int, int], kept_back: tuple[tuple[int, int], ...], exposed: int
) -> None:
    found = list(media_ports(RANGE, PortFacts(dealt=dealt, kept_back=kept_back), "yes"))[1:]
    assert [one.state for one in found] == (["warning"] if exposed else [])
    assert all(one.told.startswith(f"{exposed} of them") for one in found)
    assert all("ip_local_reserved_ports=30000-30999" in one.remedy for one in found)


def test_names_lead_somewhere_or_not() -> None:
    good, late, gone, service = names(
        [
            Named("trunk a", "a.example", False, (SIP,)),
            Named("trunk b", "b.example", False, None),
            Named("trunk c", "c.example", False, ()),
            Named("trunk d", "d.example", True, (SIP,)),
        ]
    )
    assert (good.state, good.told) == ("ok", "a.example leads to 192.0.2.1")
    assert (late.state, late.told) == ("fault", "b.example: no answer in time")
    assert (gone.state, gone.told) == ("fault", "c.example leads nowhere")
    assert (service.state, service.told) == ("ok", "SRV records of d.example lead to 192.0.2.1 port 5060")
