"""Packets through a real relay process: both ways, both families, RTP and RTCP, latching, reports."""

from __future__ import annotations

import socket
import subprocess

import pytest

from tests.switch.relay.harness import Party, Relay, Stream, aim, open_stream, rtcp, rtp

V4, V6 = "127.0.0.1", "::1"


def linked(relay: Relay, session: int, hosts: tuple[str, str] = (V4, V4)) -> tuple[Stream, Party, Party]:
    """A stream with a caller and a callee who multiplex RTCP."""
    stream = open_stream(relay, session, hosts=hosts)
    caller, callee = Party(hosts[0]), Party(hosts[1])
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee)
    relay.settled()
    return stream, caller, callee


@pytest.mark.parametrize("hosts", [(V4, V4), (V6, V6), (V4, V6), (V6, V4)])
def test_both_ways(relay: Relay, session: int, hosts: tuple[str, str]) -> None:
    stream, caller, callee = linked(relay, session, hosts)
    for sequence in range(5):
        caller.send(rtp(sequence, b"from caller"), stream.caller)
        assert callee.receive() == (rtp(sequence, b"from caller"), stream.callee)
        callee.send(rtp(sequence, b"from callee"), stream.callee)
        assert caller.receive() == (rtp(sequence, b"from callee"), stream.caller)


@pytest.mark.parametrize("size", [0, 1, 4, 11, 12, 1472, 9000])
def test_any_size_arrives_as_it_was(relay: Relay, session: int, size: int) -> None:
    stream, caller, callee = linked(relay, session)
    caller.send(rtp(1), stream.caller)
    callee.receive()
    caller.send(bytes(size), stream.caller)
    assert callee.receive()[0] == bytes(size)


def test_streams_of_a_session_are_kept_apart(relay: Relay, session: int) -> None:
    streams = [open_stream(relay, session, index) for index in range(2)]
    parties = [(Party(), Party()) for _ in streams]
    for index, (caller, callee) in enumerate(parties):
        aim(relay, session, 0, caller, stream=index)
        aim(relay, session, 1, callee, stream=index)
    relay.settled()
    for index, (stream, (caller, callee)) in enumerate(zip(streams, parties, strict=True)):
        caller.send(rtp(index), stream.caller)
        assert callee.receive()[0] == rtp(index)
    assert all(party.hears_nothing() for pair in parties for party in pair)


def test_rtcp_ports_of_their_own(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session)
    media, control = (Party(), Party()), (Party(), Party())
    for side in (0, 1):
        aim(relay, session, side, media[side], control[side])
    relay.settled()
    for side in (0, 1):
        control[side].send(rtcp(), stream.rtcp(side))
        assert control[1 - side].receive() == (rtcp(), stream.rtcp(1 - side))
    assert media[0].hears_nothing()
    control[0].send(rtcp(), stream.caller)
    assert media[1].hears_nothing(), "the RTCP port of a party has no business on the RTP port"


def test_mux_on_one_side_only(relay: Relay, session: int) -> None:
    """RFC 5761: the caller sends RTCP on its RTP port, the callee has a port for it."""
    stream = open_stream(relay, session)
    caller, callee, callee_control = Party(), Party(), Party()
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee, callee_control)
    relay.settled()
    caller.send(rtp(), stream.caller)
    assert callee.receive() == (rtp(), stream.callee)
    caller.send(rtcp(), stream.caller)
    assert callee_control.receive() == (rtcp(), stream.rtcp(1))
    callee_control.send(rtcp(b"back...."), stream.rtcp(1))
    assert caller.receive() == (rtcp(b"back...."), stream.caller)
    assert callee.hears_nothing()


def test_mux_without_rtcp_ports(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session, rtcp=False)
    caller, callee = Party(), Party()
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee)
    relay.settled()
    caller.send(rtcp(), stream.caller)
    assert callee.receive() == (rtcp(), stream.callee)


def test_rtcp_with_nowhere_to_go_is_dropped(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session, rtcp=False)
    caller, callee = Party(), Party()
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee, Party())
    before = relay.settled()["unroutable"]
    caller.send(rtcp(), stream.caller)
    assert callee.hears_nothing()
    assert relay.settled()["unroutable"] == before + 1


def test_a_stranger_is_dropped_and_counted_before_and_after_the_party(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session)
    stranger = Party("127.0.0.2")
    stranger.send(rtp(1, b"theft"), stream.caller)
    assert callee.hears_nothing()
    caller.send(rtp(1), stream.caller)
    assert callee.receive()[0] == rtp(1)
    for sequence in range(20):
        stranger.send(rtp(sequence, b"theft"), stream.caller)
    Party("127.0.0.1").send(rtp(5, b"theft"), stream.caller)
    caller.send(rtp(2), stream.caller)
    assert callee.receive()[0] == rtp(2)
    callee.send(rtp(9), stream.callee)
    assert caller.receive()[0] == rtp(9)
    assert stranger.hears_nothing()
    assert relay.ask("peek", session)[2][0][0]["strangers"] == 22


def test_learnt_behind_nat_then_taken_over_by_the_signalled_address(relay: Relay, session: int) -> None:
    stream, _, callee = linked(relay, session)
    signalled, nat = Party("127.0.0.3"), Party("127.0.0.2")
    aim(relay, session, 0, signalled, learn=nat.host)
    relay.settled()
    callee.send(rtp(1), stream.callee)
    assert signalled.receive()[0] == rtp(1)
    nat.send(rtp(1), stream.caller)
    assert callee.receive()[0] == rtp(1)
    callee.send(rtp(2), stream.callee)
    assert nat.receive()[0] == rtp(2)
    signalled.send(rtp(2), stream.caller)
    assert callee.receive()[0] == rtp(2)
    nat.send(rtp(3, b"late"), stream.caller)
    callee.send(rtp(3), stream.callee)
    assert signalled.receive()[0] == rtp(3)
    assert nat.hears_nothing()
    assert callee.hears_nothing()


def test_rtcp_latches_apart_from_rtp(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session)
    caller, callee, control = Party("127.0.0.3"), Party(), (Party("127.0.0.3"), Party())
    aim(relay, session, 0, caller, control[0], learn="127.0.0.2")
    aim(relay, session, 1, callee, control[1])
    relay.settled()
    nat = Party("127.0.0.2")
    nat.send(rtp(), stream.caller)
    assert callee.receive()[0] == rtp()
    control[1].send(rtcp(), stream.rtcp(1))
    assert control[0].receive()[0] == rtcp()


def test_a_reinvite_moves_the_stream(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session)
    caller.send(rtp(1), stream.caller)
    callee.receive()
    moved = Party("127.0.0.2")
    aim(relay, session, 0, moved)
    relay.settled()
    callee.send(rtp(1), stream.callee)
    assert moved.receive()[0] == rtp(1)
    caller.send(rtp(2), stream.caller)
    assert callee.hears_nothing()
    moved.send(rtp(3), stream.caller)
    assert callee.receive()[0] == rtp(3)


@pytest.mark.parametrize("held", [(V4, 0), ("0.0.0.0", 4000)])
def test_hold_and_resume(relay: Relay, session: int, held: tuple[str, int]) -> None:
    stream, caller, callee = linked(relay, session)
    relay.tell("aim", session, 0, 0, *held, held[0], 0, V4)
    before = relay.settled()["unroutable"]
    callee.send(rtp(1), stream.callee)
    assert caller.hears_nothing()
    assert relay.settled()["unroutable"] == before + 1
    caller.send(rtp(1, b"music"), stream.caller)
    assert callee.receive()[0] == rtp(1, b"music")
    callee.send(rtp(2), stream.callee)
    assert caller.hears_nothing()
    aim(relay, session, 0, caller)
    relay.settled()
    callee.send(rtp(3), stream.callee)
    assert caller.receive()[0] == rtp(3)


def test_hold_of_an_ipv6_party_may_be_written_in_ipv4(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session, (V6, V4))
    relay.tell("aim", session, 0, 0, "0.0.0.0", 4000, "0.0.0.0", 4001, None)
    relay.settled()
    callee.send(rtp(1), stream.callee)
    assert caller.hears_nothing()


def test_until_a_side_is_aimed_at_its_packets_are_dropped(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session)
    caller = Party()
    aim(relay, session, 0, caller)
    before = relay.settled()
    caller.send(rtp(1), stream.caller)
    Party().send(rtp(1), stream.callee)
    assert caller.hears_nothing()
    after = relay.settled()
    assert after["unroutable"] - before["unroutable"] == 1
    assert after["strangers"] - before["strangers"] == 1


def test_a_party_that_closed_its_port_disturbs_nobody(relay: Relay, session: int) -> None:
    """Packets to a dead port come back as ICMP errors on the line."""
    stream, caller, callee = linked(relay, session)
    callee.send(rtp(1), stream.callee)
    caller.receive()
    callee.sock.close()
    for sequence in range(10):
        caller.send(rtp(sequence), stream.caller)
    again = Party(port=callee.port)
    again.send(rtp(2), stream.callee)
    assert caller.receive()[0] == rtp(2)
    for sequence in range(10, 13):
        caller.send(rtp(sequence), stream.caller)
    assert again.receive()[0] in [rtp(sequence) for sequence in range(13)]


def test_report_counts_what_came_from_each_side(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session)
    for sequence in (1, 2, 4, 5, 8):
        caller.send(rtp(sequence), stream.caller)
        callee.receive()
    callee.send(rtp(1, ssrc=1), stream.callee)
    callee.send(rtp(1, ssrc=2), stream.callee)
    callee.send(rtcp(), stream.callee)
    for _ in range(3):
        caller.receive()
    assert relay.ask("peek", session)[:2] == ["peek", session]
    kind, number, streams = relay.ask("close", session)
    assert (kind, number, len(streams)) == ("report", session, 1)
    from_caller, from_callee = streams[0]
    size = len(rtp())
    assert (from_caller["packets"], from_caller["bytes"], from_caller["lost"]) == (5, 5 * size, 3)
    assert (from_callee["packets"], from_callee["ssrc_changes"], from_callee["other_packets"]) == (2, 1, 1)
    assert 0 <= from_caller["first_ms"] <= from_caller["last_ms"] < 5000
    assert (from_caller["jitter"], from_caller["strangers"], from_caller["overruns"]) == (0, 0, 0)


def test_report_of_a_side_that_never_sent(relay: Relay, session: int) -> None:
    linked(relay, session)
    assert relay.ask("close", session)[2][0][1] == {
        "packets": 0,
        "bytes": 0,
        "other_packets": 0,
        "first_ms": -1,
        "last_ms": -1,
        "lost": 0,
        "jitter": 0,
        "jitter_ms": 0,
        "strangers": 0,
        "unauthentic": 0,
        "overruns": 0,
        "ssrc_changes": 0,
        "events": 0,
        "rtt_ms": -1,
        "reported_lost": -1,
        "reported_jitter_ms": -1,
    }


def test_closing_frees_the_ports_at_once(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session)
    caller.send(rtp(), stream.caller)
    callee.receive()
    relay.ask("close", session)
    for host, port in (stream.caller, stream.callee, stream.rtcp(0), stream.rtcp(1)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((host, port))


def test_totals_outlive_the_sessions(relay: Relay, session: int) -> None:
    before = relay.settled()
    stream, caller, callee = linked(relay, session)
    caller.send(rtp(), stream.caller)
    callee.receive()
    during = relay.settled()
    assert [during[key] - before[key] for key in ("packets", "sessions", "streams", "ports")] == [1, 1, 1, 4]
    relay.ask("close", session)
    after = relay.settled()
    assert [after[key] - before[key] for key in ("packets", "sessions", "streams", "ports")] == [1, 0, 0, 0]
    assert after["bytes"] - before["bytes"] == len(rtp())


def test_silence_is_told(relay: Relay, session: int) -> None:
    linked(relay, session)
    relay.tell("watch", session, 1)
    assert relay.hear() == ["silent", session]


def test_ctrl_c_is_left_to_the_parent(relay: Relay, session: int) -> None:
    relay.settled()
    relay.process.send_signal(2)
    linked(relay, session)
    with pytest.raises(subprocess.TimeoutExpired):
        relay.process.wait(0.05)


@pytest.mark.parametrize(
    "packet",
    [b"INVITE sip:+900@carrier SIP/2.0\r\n\r\n", b"\r\nINVITE sip:+900@carrier SIP/2.0\r\n\r\n", b"@" * 40],
)
def test_nobody_can_send_sip_through_the_relay(relay: Relay, session: int, packet: bytes) -> None:
    stream, caller, callee = linked(relay, session)
    caller.send(packet, stream.caller)
    assert callee.hears_nothing()


@pytest.mark.parametrize("packet", [bytes([0, 1]) + bytes(18), bytes([22, 254, 253]) + bytes(20)])
def test_stun_and_dtls_pass(relay: Relay, session: int, packet: bytes) -> None:
    stream, caller, callee = linked(relay, session)
    caller.send(packet, stream.caller)
    assert callee.receive()[0] == packet


def test_a_medium_that_is_no_rtp_passes_whole(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session)
    caller, callee = Party(), Party()
    for side, party in enumerate((caller, callee)):
        relay.tell("aim", session, 0, side, party.host, party.port, party.host, 0, None, 0)
    relay.settled()
    for first in range(0, 256, 15):
        packet = bytes([first]) * 24
        caller.send(packet, stream.caller)
        assert callee.receive()[0] == packet
