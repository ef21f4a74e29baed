"""The transaction layer as a whole: RFC 3261 sections 8.2, 9, 17, 18.2; RFC 3581, RFC 5626, RFC 6026."""

from __future__ import annotations

import time

import pytest

from switch.ports import Address, Flow
from switch.sip.endpoint import ALLOW, Endpoint
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram
from switch.sip.transaction.invite_server import InviteServer
from switch.sip.transaction.wire import Timing
from switch.timers import TimerQueue
from tests.switch.sip.support import (
    FLOW,
    HERE,
    THERE,
    Chance,
    RecordingUser,
    Row,
    at,
    make_request,
    request_bytes,
    response_bytes,
    run_to,
)

OUTSIDE = Address("203.0.113.5", 15060)


class Net:
    """An endpoint between a wire and a user that remember."""

    def __init__(self, advertised: dict[Address, Address] | None = None) -> None:
        self.sent: list[tuple[Flow, bytes]] = []
        self.requests: list[Request] = []
        self.dialog_requests: list[Request] = []
        self.cancels: list[Request] = []
        self.timers = TimerQueue(at(0))
        self.endpoint = Endpoint(
            timers=self.timers,
            timing=Timing(),
            entropy=Chance(),
            send=lambda flow, data: self.sent.append((flow, data)),
            advertised=advertised or {},
            user_agent="belswitch",
        )
        self.endpoint.user = self

    def on_request(self, request: Request, flow: Flow) -> None:
        self.requests.append(request)

    def on_dialog_request(self, request: Request, flow: Flow) -> None:
        self.dialog_requests.append(request)

    def on_cancel(self, request: Request) -> None:
        self.cancels.append(request)

    def receive(
        self,
        method: str = "OPTIONS",
        fields: dict[str, Row] | None = None,
        remote: Address = THERE,
        uri: str = "sip:bob@example.com",
    ) -> None:
        self.endpoint.receive(FLOW._replace(remote=remote), request_bytes(method, uri, "", fields or {}))

    def open_invite(self) -> InviteServer:
        """The server transaction of the request passed up last."""
        transaction = self.endpoint.open_invite_server(self.requests[-1], FLOW)
        transaction.user = self
        return transaction

    def responses(self) -> list[Response]:
        messages = [parse_datagram(data) for _, data in self.sent]
        return [message for message in messages if isinstance(message, Response)]

    @property
    def statuses(self) -> list[int]:
        return [response.status for response in self.responses()]

    def only_response(self) -> Response:
        (response,) = self.responses()
        return response


@pytest.fixture
def net() -> Net:
    return Net()


# --- where responses go: RFC 3261 section 18.2, RFC 3581 ----------------------------------------------------


def test_with_rport_the_answer_goes_where_the_request_came_from(net: Net) -> None:
    net.receive("NEWMETHOD", {"Via": "SIP/2.0/UDP 10.0.0.5:5060;rport;branch=z9hG4bK-1"}, OUTSIDE)
    assert net.sent[0][0].remote == OUTSIDE
    via = net.only_response().rows("Via")[0]
    assert via == "SIP/2.0/UDP 10.0.0.5:5060;rport=15060;branch=z9hG4bK-1;received=203.0.113.5"


def test_without_rport_the_answer_goes_to_the_port_of_the_via(net: Net) -> None:
    net.receive("NEWMETHOD", {"Via": "SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bK-1"}, OUTSIDE)
    assert net.sent[0][0].remote == Address("203.0.113.5", 5070)
    assert net.only_response().rows("Via")[0].endswith(";received=203.0.113.5")


def test_without_rport_and_port_the_answer_goes_to_5060(net: Net) -> None:
    net.receive("NEWMETHOD", {"Via": "SIP/2.0/UDP host.example.com;branch=z9hG4bK-1"}, OUTSIDE)
    assert net.sent[0][0].remote == Address("203.0.113.5", 5060)


def test_a_via_that_says_the_truth_is_left_as_it_is(net: Net) -> None:
    via = f"SIP/2.0/UDP {THERE.host}:{THERE.port};branch=z9hG4bK-1"
    net.receive("NEWMETHOD", {"Via": via})
    assert net.only_response().rows("Via") == [via]


@pytest.mark.parametrize(
    ("via", "noted"),
    [
        ("SIP/2.0/UDP h;received=192.0.2.66;rport=9;branch=z9hG4bK-1",
         "SIP/2.0/UDP h;rport=15060;branch=z9hG4bK-1;received=203.0.113.5"),
        ("SIP/2.0/UDP h ; branch=z9hG4bK-1 ; rport",
         "SIP/2.0/UDP h ; branch=z9hG4bK-1;rport=15060;received=203.0.113.5"),
        ("SIP/2.0/UDP h;rportx=1;RPORT;branch=z9hG4bK-1",
         "SIP/2.0/UDP h;rportx=1;rport=15060;branch=z9hG4bK-1;received=203.0.113.5"),
        ('SIP/2.0/UDP h;x="a,b";branch=z9hG4bK-1;rport, SIP/2.0/UDP i;rport',
         'SIP/2.0/UDP h;x="a,b";branch=z9hG4bK-1;rport=15060;received=203.0.113.5, SIP/2.0/UDP i;rport'),
    ],
)  # fmt: skip
def test_what_the_sender_says_of_its_source_does_not_count(net: Net, via: str, noted: str) -> None:
    net.receive("NEWMETHOD", {"Via": [via, "SIP/2.0/UDP j;rport"]}, OUTSIDE)
    assert net.only_response().rows("Via") == [noted, "SIP/2.0/UDP j;rport"]


@pytest.mark.parametrize("blanks", [" " * 50_000, ";received" + " " * 50_000, ";rport" + " " * 50_000])
def test_a_hostile_via_is_noted_in_no_time(net: Net, blanks: str) -> None:
    """In quotes a Via may hold whatever fits in a datagram."""
    started = time.process_time()
    net.receive("NEWMETHOD", {"Via": f'SIP/2.0/UDP h;x="{blanks}y";branch=z9hG4bK-1;rport'}, OUTSIDE)
    assert net.only_response().rows("Via")[0].endswith(";received=203.0.113.5")
    assert time.process_time() - started < 0.5


def test_the_source_is_noted_before_a_response_is_made(net: Net) -> None:
    net.receive("OPTIONS", {"Via": "SIP/2.0/UDP 10.0.0.5;rport;branch=z9hG4bK-1"}, OUTSIDE)
    response = net.endpoint.response(net.requests[0], 200)
    assert response.rows("Via")[0].endswith(";rport=15060;branch=z9hG4bK-1;received=203.0.113.5")


def test_ipv6_sources_are_noted_without_brackets(net: Net) -> None:
    remote = Address("2001:db8::9:255", 5060)
    net.receive("NEWMETHOD", {"Via": "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK-1"}, remote)
    assert net.only_response().rows("Via")[0].endswith(";received=2001:db8::9:255")
    assert net.sent[0][0].remote == remote


def test_a_stream_answers_on_itself(net: Net) -> None:
    flow = Flow("tcp", HERE, OUTSIDE)
    net.endpoint.receive(
        flow, request_bytes("NEWMETHOD", "sip:b@h", "", {"Via": "SIP/2.0/TCP h;branch=z9hG4bK-1"})
    )
    assert net.sent[0][0] == flow


def test_a_broken_request_is_answered_the_same_way(net: Net) -> None:
    net.receive("OPTIONS", {"Via": "SIP/2.0/UDP h:5070;branch=z9hG4bK-1", "CSeq": "1 INVITE"}, OUTSIDE)
    assert net.only_response().status == 400
    assert net.sent[0][0].remote == Address(OUTSIDE.host, 5070)
    assert net.endpoint.counters["parse_error"] == 1


def test_a_request_with_a_broken_via_is_answered_to_its_source(net: Net) -> None:
    net.receive("OPTIONS", {"Via": "SIP/2.0/UDP h:5070;;branch=z9hG4bK-1"}, OUTSIDE)
    flow, data = net.sent[0]
    assert flow.remote == OUTSIDE
    assert data.startswith(b"SIP/2.0 400 Bad parameter\r\nVia: SIP/2.0/UDP h:5070;;branch=z9hG4bK-1\r\n")


# --- what is answered without asking anybody ----------------------------------------------------------------


def test_a_double_crlf_is_a_ping(net: Net) -> None:
    net.endpoint.receive(FLOW, b"\r\n\r\n")
    assert net.sent == [(FLOW, b"\r\n")]
    assert net.endpoint.counters["keep_alive"] == 1


@pytest.mark.parametrize("data", [b"\r\n", b"", b"\0\0\0\0"])
def test_other_keep_alives_are_not_answered(net: Net, data: bytes) -> None:
    net.endpoint.receive(FLOW, data)
    assert net.sent == []
    assert net.endpoint.counters["keep_alive"] == 1


@pytest.mark.parametrize(
    ("method", "status"),
    [("NEWMETHOD", 501), ("options", 501), ("REGISTER2", 501),
     ("SUBSCRIBE", 405), ("NOTIFY", 405), ("MESSAGE", 405), ("PUBLISH", 405)],
)  # fmt: skip
def test_methods_we_do_not_take(net: Net, method: str, status: int) -> None:
    net.receive(method)
    response = net.only_response()
    assert response.status == status
    assert response.rows("Allow") == [ALLOW]
    assert net.requests == []
    assert net.endpoint.sizes() == {"clients": 0, "servers": 0, "dialogs": 0}


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "INFO"])
def test_methods_we_take_are_passed_up(net: Net, method: str) -> None:
    net.receive(method)
    assert [request.method for request in net.requests] == [method]
    assert net.sent == []


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "OPTIONS", "UPDATE", "NOTIFY", "NEWMETHOD"])
def test_a_request_of_no_dialog_is_481(net: Net, method: str) -> None:
    net.receive(method, {"To": "<sip:bob@example.com>;tag=gone"})
    assert net.only_response().status == 481
    assert net.only_response().recipient.tag == "gone"
    assert net.requests == []


@pytest.mark.parametrize("to", ["<sip:bob@example.com>", "<sip:bob@example.com>;tag=gone"])
def test_an_ack_of_nothing_is_absorbed(net: Net, to: str) -> None:
    net.receive("ACK", {"To": to, "CSeq": "1 ACK"})
    assert net.sent == []
    assert net.requests == []


def test_a_stray_response_is_counted_and_never_answered(net: Net) -> None:
    net.endpoint.receive(FLOW, response_bytes(200))
    net.endpoint.receive(FLOW, b"SIP/2.0 999 What\r\n\r\n")
    assert net.sent == []
    assert net.endpoint.counters["stray_response"] == 1
    assert net.endpoint.counters["parse_error"] == 1


def test_answers_without_state_have_the_same_tag_every_time(net: Net) -> None:
    """RFC 3261 section 8.2.7; also when a NAT moved the port in between."""
    via = "SIP/2.0/UDP 10.0.0.5;rport;branch=z9hG4bK-1"
    for remote in (OUTSIDE, OUTSIDE, OUTSIDE._replace(port=9)):
        net.receive("NEWMETHOD", {"Via": via}, remote)
    net.receive("NEWMETHOD", {"Via": via, "Call-ID": "another"}, OUTSIDE)
    tags = [response.recipient.tag for response in net.responses()]
    assert tags[0]
    assert tags[0] == tags[1] == tags[2] != tags[3]


def test_reply_never_answers_an_ack(net: Net) -> None:
    net.endpoint.reply(make_request("ACK", fields={"CSeq": "1 ACK"}), FLOW, 481)
    assert net.sent == []


# --- server transactions ------------------------------------------------------------------------------------


def test_a_repeated_request_finds_its_transaction(net: Net) -> None:
    net.receive("BYE")
    net.endpoint.open_server(net.requests[0], FLOW).respond(net.endpoint.response(net.requests[0], 481))
    net.receive("BYE")
    assert len(net.requests) == 1
    assert net.statuses == [481, 481]
    assert net.sent[0] == net.sent[1]
    assert net.endpoint.counters["retransmission_received"] == 1
    assert net.endpoint.counters["retransmission_sent"] == 1
    run_to(net.timers, 32_000)
    assert net.endpoint.sizes()["servers"] == 0


def test_a_reused_branch_with_a_new_cseq_is_a_new_request(net: Net) -> None:
    """As pyVoIP sends its credentials."""
    net.receive("INVITE")
    net.open_invite().respond(net.endpoint.response(net.requests[0], 401))
    net.receive("ACK", {"CSeq": "1 ACK", "To": "<sip:bob@example.com>;tag=random"})
    net.receive("INVITE", {"CSeq": "2 INVITE"})
    assert [request.cseq[0] for request in net.requests] == [1, 2]
    run_to(net.timers, 4_000)
    assert net.statuses == [401], "its ACK arrived, so nothing is repeated"


def test_cancel_is_answered_and_reaches_its_invite(net: Net) -> None:
    net.receive("INVITE")
    net.open_invite()
    net.receive("CANCEL")
    assert net.only_response().status == 200
    assert net.only_response().cseq == (1, "CANCEL")
    assert [cancel.method for cancel in net.cancels] == ["CANCEL"]
    net.receive("CANCEL")
    assert net.statuses == [200, 200]
    assert len(net.cancels) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"Via": f"SIP/2.0/UDP {THERE.host}:{THERE.port};branch=z9hG4bK-2"},
        {"Via": "SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bK-1"},
        {"CSeq": "2 CANCEL"},
    ],
)
def test_a_cancel_of_another_transaction_is_481_and_leaves_nothing(net: Net, fields: dict[str, Row]) -> None:
    net.receive("INVITE")
    net.open_invite()
    servers = net.endpoint.sizes()["servers"]
    net.receive("CANCEL", fields)
    assert net.only_response().status == 481
    assert net.cancels == []
    assert net.endpoint.sizes()["servers"] == servers


def test_a_cancel_cannot_cancel_anything_but_an_invite(net: Net) -> None:
    net.receive("BYE")
    net.endpoint.open_server(net.requests[0], FLOW)
    net.receive("CANCEL")
    assert net.only_response().status == 481


# --- dialogs ------------------------------------------------------------------------------------------------


def test_a_request_finds_its_dialog_by_call_id_and_our_tag(net: Net) -> None:
    net.endpoint.dialogs["call-1", "ours"] = net
    net.receive("BYE", {"To": "<sip:bob@example.com>;tag=ours"})
    net.receive("ACK", {"To": "<sip:bob@example.com>;tag=ours", "CSeq": "1 ACK"})
    assert [request.method for request in net.dialog_requests] == ["BYE", "ACK"]
    net.receive("BYE", {"To": "<sip:bob@example.com>;tag=ours", "Call-ID": "call-2", "CSeq": "3 BYE"})
    assert net.statuses == [481]


@pytest.mark.parametrize("tag", ["ours", "random"])
def test_the_ack_of_a_2xx_under_the_branch_of_its_invite_reaches_the_dialog(net: Net, tag: str) -> None:
    """RFC 6026 section 7.1; pyVoIP reuses the branch and invents the To tag."""
    net.receive("INVITE")
    net.open_invite().respond(net.endpoint.response(net.requests[0], 200, tag="ours"))
    net.endpoint.dialogs["call-1", "ours"] = net
    net.receive("ACK", {"CSeq": "1 ACK", "To": f"<sip:bob@example.com>;tag={tag}"})
    net.receive("INVITE")
    assert [request.method for request in net.dialog_requests] == ["ACK"]
    assert net.statuses == [200], "the repeated INVITE is absorbed"


def test_an_ack_that_comes_after_its_dialog_is_absorbed(net: Net) -> None:
    net.receive("INVITE")
    net.open_invite().respond(net.endpoint.response(net.requests[0], 200, tag="ours"))
    net.receive("ACK", {"CSeq": "1 ACK"})
    assert net.dialog_requests == []
    assert net.statuses == [200]


# --- client transactions ------------------------------------------------------------------------------------


def sent_request(net: Net, index: int = -1) -> Request:
    message = parse_datagram(net.sent[index][1])
    assert isinstance(message, Request)
    return message


def answer(net: Net, status: int, cseq: str, via: str | None = None) -> None:
    fields: dict[str, Row] = {"Via": via or sent_request(net).rows("Via")[0], "CSeq": cseq}
    net.endpoint.receive(FLOW, response_bytes(status, fields))


def outgoing(method: str) -> Request:
    fields = {
        "From": ["<sip:a@h>;tag=1"],
        "To": ["<sip:b@h>"],
        "Call-ID": ["x"],
        "CSeq": [f"1 {method}"],
    }
    return Request(method, "sip:b@h", fields)


def test_requests_of_ours_get_a_via_max_forwards_and_user_agent(net: Net) -> None:
    net.endpoint.request(outgoing("OPTIONS"), FLOW)
    request = sent_request(net)
    assert next(iter(request.fields)) == "Via"
    assert (request.via.host, request.via.port) == HERE
    assert request.via.branch.startswith("z9hG4bK")
    assert request.via.params["rport"] is None
    assert request.rows("Max-Forwards") == ["70"]
    assert request.rows("User-Agent") == ["belswitch"]


def test_a_request_sent_once_more_gets_a_new_via(net: Net) -> None:
    request = outgoing("OPTIONS")
    request.fields["Max-Forwards"] = ["9"]
    first = net.endpoint.request(request, FLOW)
    second = net.endpoint.request(request, FLOW)
    assert first.key != second.key
    assert [sent_request(net, index).via.branch for index in (0, 1)] == [first.key[0], second.key[0]]
    assert sent_request(net).rows("Max-Forwards") == ["9"]


def test_a_response_finds_its_transaction(net: Net) -> None:
    user = RecordingUser()
    net.endpoint.request(outgoing("OPTIONS"), FLOW, user)
    answer(net, 200, "1 BYE")
    answer(net, 200, "1 OPTIONS", "SIP/2.0/UDP h;branch=z9hG4bKother")
    assert user.told == []
    answer(net, 200, "1 OPTIONS")
    assert user.told == [200]
    assert net.endpoint.counters["stray_response"] == 2
    assert net.endpoint.counters["received_2xx"] == 1
    run_to(net.timers, 5_000)
    assert net.endpoint.sizes() == {"clients": 0, "servers": 0, "dialogs": 0}


def test_a_refused_invite_is_acknowledged_under_its_own_branch(net: Net) -> None:
    user = RecordingUser()
    invite = net.endpoint.invite(outgoing("INVITE"), FLOW, user)
    answer(net, 486, "1 INVITE")
    ack = sent_request(net)
    assert (ack.method, ack.via.branch) == ("ACK", invite.key[0])
    assert user.told == [486]


def test_the_ack_of_a_2xx_has_a_branch_of_its_own_and_no_transaction(net: Net) -> None:
    """RFC 3261 section 13.2.2.4."""
    invite = net.endpoint.invite(outgoing("INVITE"), FLOW, RecordingUser())
    answer(net, 200, "1 INVITE")
    clients = net.endpoint.sizes()["clients"]
    data = net.endpoint.acknowledge(outgoing("ACK"), FLOW)
    assert net.sent[-1] == (FLOW, data)
    assert sent_request(net).via.branch != invite.key[0]
    assert net.endpoint.sizes()["clients"] == clients


def test_cancel_goes_out_once_and_only_after_a_provisional(net: Net) -> None:
    invite = net.endpoint.invite(outgoing("INVITE"), FLOW, RecordingUser())
    via = sent_request(net).rows("Via")[0]
    assert not net.endpoint.cancel(invite, [])
    answer(net, 180, "1 INVITE", via)
    assert net.endpoint.cancel(invite, ["Q.850;cause=16"])
    assert net.endpoint.cancel(invite, ["Q.850;cause=16"])
    methods = [sent_request(net, index).method for index in range(len(net.sent))]
    assert methods == ["INVITE", "CANCEL"]
    assert sent_request(net).rows("Via") == [via]
    answer(net, 200, "1 CANCEL", via)
    answer(net, 487, "1 INVITE", via)
    assert sent_request(net).method == "ACK"
    run_to(net.timers, 40_000)
    assert net.endpoint.sizes()["clients"] == 0
    assert len(net.timers) == 0


def test_a_failed_flow_fails_the_transaction_behind_it(net: Net) -> None:
    user = RecordingUser()
    net.endpoint.request(outgoing("OPTIONS"), FLOW, user)
    net.endpoint.flow_failed(net.sent[0][1])
    assert user.told == ["timeout"]
    assert net.endpoint.sizes()["clients"] == 0


def test_a_failed_cancel_leaves_its_invite_alone(net: Net) -> None:
    user = RecordingUser()
    invite = net.endpoint.invite(outgoing("INVITE"), FLOW, user)
    answer(net, 180, "1 INVITE")
    net.endpoint.cancel(invite, [])
    net.endpoint.flow_failed(net.sent[-1][1])
    assert user.told == [180]
    assert net.endpoint.sizes()["clients"] == 1


@pytest.mark.parametrize(
    "data",
    [
        response_bytes(200),
        request_bytes("ACK", "sip:b@h", "", {"CSeq": "1 ACK"}),
        request_bytes("BYE", "sip:b@h", "", {}),
        b"\r\n",
        b"",
        b"rubbish",
    ],
)
def test_a_failed_flow_behind_anything_else_is_nobodys(net: Net, data: bytes) -> None:
    user = RecordingUser()
    net.endpoint.request(outgoing("OPTIONS"), FLOW, user)
    net.endpoint.flow_failed(data)
    assert user.told == []


def test_what_a_user_repeats_itself_is_counted_as_repeated(net: Net) -> None:
    net.endpoint.resend(FLOW, b"ACK ...")
    assert net.sent == [(FLOW, b"ACK ...")]
    assert net.endpoint.counters["retransmission_sent"] == 1


# --- what we call ourselves ---------------------------------------------------------------------------------


def test_peers_are_told_the_advertised_address() -> None:
    outside, v6 = Address("203.0.113.1", 5099), Address("2001:db8::1", 5060)
    net = Net({HERE: outside})
    assert net.endpoint.contact(FLOW) == "<sip:203.0.113.1:5099>"
    assert net.endpoint.contact(FLOW, "bob") == "<sip:bob@203.0.113.1:5099>"
    assert net.endpoint.host(FLOW) == "203.0.113.1"
    net.endpoint.request(outgoing("OPTIONS"), FLOW)
    assert (sent_request(net).via.host, sent_request(net).via.port) == outside
    flow6 = Flow("tcp", v6, Address("2001:db8::2", 5060))
    assert net.endpoint.contact(flow6) == "<sip:[2001:db8::1]:5060;transport=tcp>"
    assert net.endpoint.host(flow6) == "[2001:db8::1]"


# --- strangers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (request_bytes("ACK", "sip:b@x", "", {}), "ack"),
        (request_bytes("ACK", "sip:b@x", "", {"To": "<sip:b@x>;tag=none"}), "ack"),
        (request_bytes("BYE", "sip:b@x", "", {"To": "<sip:b@x>;tag=none"}), "request"),
        (request_bytes("CANCEL", "sip:b@x", "", {}), "request"),
        (request_bytes("SUBSCRIBE", "sip:b@x", "", {}), "request"),
        (request_bytes("NEWMETHOD", "sip:b@x", "", {}), "request"),
        (response_bytes(200), "response"),
        (b"GET / HTTP/1.1\r\n\r\n", "unparsable"),
        (request_bytes("OPTIONS", "sip:b@x", "", {"CSeq": "none"}), "unparsable"),
        (request_bytes("OPTIONS", "sip:b@x", "", {}), ""),
        (b"\r\n\r\n", ""),
    ],
)
def test_what_belongs_to_nothing_is_told(net: Net, data: bytes, kind: str) -> None:
    told: list[tuple[Flow, str]] = []
    net.endpoint.on_stray = lambda flow, kind: told.append((flow, kind))
    net.endpoint.receive(FLOW, data)
    assert told == ([(FLOW, kind)] if kind else [])


def test_a_message_of_a_dialog_or_transaction_is_expected(net: Net) -> None:
    net.receive("INVITE", {"Call-ID": "c", "From": "<sip:a@x>;tag=a1"})
    invite = request_bytes("INVITE", "sip:bob@example.com", "", {"Call-ID": "c"})
    ack = request_bytes("ACK", "sip:bob@example.com", "", {"CSeq": "1 ACK"})
    assert not net.endpoint.expects(invite)
    net.open_invite()
    assert net.endpoint.expects(invite)
    assert net.endpoint.expects(ack)
    bye = request_bytes("BYE", "sip:b@x", "", {"Call-ID": "c", "To": "<sip:b@x>;tag=t", "CSeq": "2 BYE"})
    assert not net.endpoint.expects(bye)
    net.endpoint.dialogs["c", "t"] = net
    assert net.endpoint.expects(bye)
    assert not net.endpoint.expects(bye.replace(b"Call-ID: c", b"Call-ID: d"))
    transaction = net.endpoint.request(make_request("OPTIONS"), FLOW)
    row, cseq = f"SIP/2.0/UDP x;branch={transaction.key[0]}", "1 OPTIONS"
    assert net.endpoint.expects(response_bytes(200, {"Via": row, "CSeq": cseq}))
    assert not net.endpoint.expects(response_bytes(200, {"Via": row, "CSeq": "1 INFO"}))
    assert not net.endpoint.expects(b"rubbish")


# --- connections --------------------------------------------------------------------------------------------


def test_what_waits_on_a_connection_fails_when_that_ends(net: Net) -> None:
    tcp, other = FLOW._replace(transport="tcp"), FLOW._replace(transport="tcp", remote=HERE)
    users = [RecordingUser() for _ in range(3)]
    net.endpoint.invite(make_request("INVITE", "sip:a@example.com"), tcp, users[0])
    net.endpoint.request(make_request("BYE", "sip:a@example.com"), tcp, users[1])
    net.endpoint.request(make_request("BYE", "sip:b@example.com"), other, users[2])
    net.endpoint.flow_closed(tcp)
    assert [user.told for user in users] == [["timeout"], ["timeout"], []]
    run_to(net.timers, 40_000)
    assert users[2].told == ["timeout"]
    assert net.endpoint.sizes()["clients"] == 0
    assert not net.endpoint._waiting


def test_a_request_that_came_on_a_connection_is_answered_on_it(net: Net) -> None:
    tcp = FLOW._replace(transport="tcp", remote=Address("198.51.100.7", 40_123))
    via = "SIP/2.0/TCP 198.51.100.7:5060;branch=z9hG4bK-9"
    data = request_bytes("PUBLISH", "sip:bob@example.com", "", {"Via": via})
    net.endpoint.receive(tcp, data)
    ((flow, _),) = net.sent
    assert flow == tcp


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_via_and_contact_name_the_transport(net: Net, transport: str) -> None:
    flow = FLOW._replace(transport=transport)
    net.endpoint.request(make_request("BYE", "sip:a@example.com"), flow)
    ((_, data),) = net.sent
    assert f"Via: SIP/2.0/{transport.upper()} 192.0.2.1:5060;".encode() in data
    assert net.endpoint.contact(flow) == f"<sip:192.0.2.1:5060;transport={transport}>"
