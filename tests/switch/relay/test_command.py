"""The command channel: what is refused, and that nothing said on it ends the relay but its closing."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.switch.relay.harness import (
    PATIENCE_S,
    ROOT,
    Party,
    Relay,
    aim,
    free_pair,
    open_stream,
    rtp,
    running_relay,
)


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"7",
        b"null",
        b"[" * 60_000,
        b'["fly", 1]',
        b'["open", 1]',
        b'["aim", "one", 0, 0, "127.0.0.1", 1, "127.0.0.1", 2, null]',
        b'["watch", 987654, 1000]',
        b'["watch", [1], 1000]',
        b'["stats", 1]',
        b'["close", "all"]',
    ],
)
def test_a_bad_command_is_answered_with_an_error(relay: Relay, message: bytes) -> None:
    relay.channel.send(message)
    kind, text = relay.hear()
    assert (kind, type(text)) == ("error", str)
    assert relay.ask("stats")[0] == "stats"


@pytest.mark.parametrize(
    ("side", "rest"),
    [
        pytest.param(0, ["localhost", 4000, "127.0.0.1", 4001, None], id="a name instead of an address"),
        pytest.param(0, ["::1", 4000, "::1", 4001, None], id="the wrong family"),
        pytest.param(0, ["127.0.0.1", 65536, "127.0.0.1", 0, None], id="port out of range"),
        pytest.param(0, ["127.0.0.1", -1, "127.0.0.1", 0, None], id="port below zero"),
        pytest.param(2, ["127.0.0.1", 4000, "127.0.0.1", 0, None], id="no such side"),
        pytest.param(0, ["127.0.0.1", 4000, "127.0.0.1", 0, "elsewhere"], id="learn from a name"),
        pytest.param(0, ["127.0.0.1", 4000, "127.0.0.1", 0, 7], id="learn from a number"),
        pytest.param(0, ["127.0.0.1", 4000, "127.0.0.1", 0, None, -1], id="clock rate below zero"),
        pytest.param(0, ["127.0.0.1", 4000, "127.0.0.1", 0, None, "fast"], id="clock rate in words"),
    ],
)
def test_a_bad_aim_leaves_everything_as_it_was(
    relay: Relay, session: int, side: int, rest: list[Any]
) -> None:
    stream = open_stream(relay, session)
    caller, callee = Party(), Party()
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee)
    assert relay.ask("aim", session, 0, side, *rest)[0] == "error"
    callee.send(rtp(1), stream.callee)
    assert caller.receive()[0] == rtp(1)


@pytest.mark.parametrize("aimed", ["own port", "other session", "own RTCP port"])
def test_the_relay_does_not_aim_at_itself(relay: Relay, session: int, aimed: str) -> None:
    stream, other = open_stream(relay, session), open_stream(relay, session, 1)
    host, port = {"own port": stream.callee, "other session": other.caller, "own RTCP port": stream.rtcp(0)}[
        aimed
    ]
    kind, text = relay.ask("aim", session, 0, 0, host, port, host, 0, None)
    assert kind == "error"
    assert "relay's own" in text


def test_nor_at_itself_through_a_wildcard(relay: Relay, session: int) -> None:
    stream = open_stream(relay, session, hosts=("0.0.0.0", "0.0.0.0"))
    assert relay.ask("aim", session, 0, 0, "127.0.0.1", stream.callee[1], "127.0.0.1", 0, None)[0] == "error"
    relay.tell("aim", session, 0, 0, "192.0.2.77", stream.callee[1], "192.0.2.77", 0, None)
    assert relay.ask("stats")[0] == "stats", "the same port of another machine is fine"


def test_an_open_that_fails_leaves_nothing_open(relay: Relay, session: int) -> None:
    first, second = free_pair("127.0.0.1"), free_pair("127.0.0.1")
    holder = Party(port=second + 1)
    answer = relay.ask("open", session, 0, "127.0.0.1", first, "127.0.0.1", second, True)
    assert answer[:3] == ["failed", session, 0]
    holder.sock.close()
    assert relay.settled()["ports"] == 0
    relay.tell("open", session, 0, "127.0.0.1", first, "127.0.0.1", second, True)
    assert relay.settled()["ports"] == 4


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", 0), ("127.0.0.1", 65536), ("127.0.0.1", 65535), ("192.0.2.1", 4000), ("nowhere", 4000)],
)
def test_addresses_that_cannot_be_opened(relay: Relay, session: int, host: str, port: int) -> None:
    callee = free_pair("127.0.0.1")
    assert relay.ask("open", session, 0, host, port, "127.0.0.1", callee, True)[:3] == ["failed", session, 0]
    assert relay.settled()["sessions"] == 0


def test_a_stream_opens_once(relay: Relay, session: int) -> None:
    open_stream(relay, session)
    ports = free_pair("127.0.0.1"), free_pair("127.0.0.1")
    assert relay.ask("open", session, 0, "127.0.0.1", ports[0], "127.0.0.1", ports[1], True)[0] == "failed"
    assert relay.settled()["ports"] == 4


def test_a_port_of_another_session_is_refused(relay: Relay, session: int) -> None:
    """Though the relay shares a port between its own two sockets, it does so with nobody else."""
    stream = open_stream(relay, session)
    caller, callee = Party(), Party()
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee)
    relay.settled()
    caller.send(rtp(), stream.caller)
    callee.receive()
    taken = ["127.0.0.1", stream.caller[1], "127.0.0.1", free_pair("127.0.0.1"), True]
    assert relay.ask("open", session, 1, *taken)[:3] == ["failed", session, 1]
    with running_relay() as second:
        assert second.ask("open", session, 1, *taken)[:3] == ["failed", session, 1]


def test_an_unknown_session_has_an_empty_report(relay: Relay) -> None:
    assert relay.ask("close", 424242) == ["report", 424242, []]
    assert relay.ask("peek", 424242) == ["peek", 424242, []]


def test_no_descriptors_left_is_a_failed_open_and_the_others_go_on() -> None:
    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    with running_relay(preexec_fn=few_descriptors) as relay:
        stream = open_stream(relay, 1)
        caller, callee = Party(), Party()
        aim(relay, 1, 0, caller)
        aim(relay, 1, 1, callee)
        relay.settled()
        session = 2
        while True:
            open_stream(relay, session)
            answer = relay.ask("stats")
            if answer[0] == "failed":
                break
            session += 1
        assert answer[:3] == ["failed", session, 0]
        assert "open files" in answer[3]
        assert relay.hear()[0] == "stats"
        # No descriptor for a line either, perhaps: the door serves.
        for sequence in range(3):
            caller.send(rtp(sequence), stream.caller)
            assert callee.receive()[0] == rtp(sequence)
        assert relay.settled()["packets"] == 3


def test_it_ends_when_the_parent_closes_the_channel() -> None:
    relay = Relay()
    relay.settled()
    relay.channel.close()
    assert relay.process.wait(PATIENCE_S) == 0


def test_it_ends_when_the_parent_is_killed() -> None:
    """A parent that starts a relay and dies without a word."""
    parent = (
        "import socket, subprocess, sys, time\n"
        "ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "relay = subprocess.Popen([sys.executable, '-m', 'switch.relay', '--fd', str(theirs.fileno())],"
        " pass_fds=[theirs.fileno()])\n"
        "theirs.close(); ours.send(b'[\"stats\"]'); ours.recv(4096)\n"
        "print(relay.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        assert process.stdout is not None
        descriptor = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
    try:
        ended, _, _ = select.select(
            [descriptor], [], [], PATIENCE_S
        )  # a pidfd is readable when its process ended
        assert ended
    finally:
        os.close(descriptor)


def test_it_ends_on_sigterm() -> None:
    with running_relay() as relay:
        relay.settled()
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(PATIENCE_S) == 0


def test_it_says_what_is_wrong_with_its_arguments() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "switch.relay", "--fd", "987"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--fd 987" in done.stderr


def test_a_parent_that_does_not_read_stalls_nothing(relay: Relay, session: int) -> None:
    asked = 3000
    for _ in range(asked):
        relay.channel.send(json.dumps(["peek", session]).encode())
    stream = open_stream(relay, session)
    caller, callee = Party(), Party()
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee)
    while True:  # the commands wait their turn behind the questions, in a socket that holds them all
        caller.send(rtp(), stream.caller)
        if not callee.hears_nothing():
            break
    heard = [relay.hear() for _ in range(asked)]
    assert heard == [["peek", session, []]] * asked
