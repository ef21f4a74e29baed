"""The gate: who may call what, at which price, under which name and by which way, as a table of decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from emergency.psap import Gateway
from rating.quote import Quote
from rating.tariff import TariffBook
from switch.call.admission import Admission, Refusal
from switch.call.counted import UNPROVEN, line_name, trunk_name
from switch.call.gate import Gate, Service
from switch.call.help import MOST_UNPROVEN, HelpDesk
from switch.core import Switch
from switch.malformed import Malformed
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_S, Address, Flow, Listener, Moment
from switch.routing.identity import Challenge, Unproven
from switch.routing.lines import Line
from switch.routing.plan import Target
from switch.routing.trunks import TrunkSettings
from switch.settings import CallLimits, Settings
from switch.sip.auth import Account, ha1
from tests.sim.text import digest_answer
from tests.switch.sip.support import HERE, Chance, Row, at, make_request
from tests.torture.support import DOMAIN, tables

OFF_PEAK = at(0)
PEAK = at(-1000)
"""A Tuesday, a second before 16:00."""

HOSTS = {
    "active": "203.0.113.10",
    "limited": "203.0.113.11",
    "restricted": "203.0.113.12",
    "suspended": "203.0.113.13",
    "terminated": "203.0.113.14",
    "nobody": "203.0.113.66",
    "carrier": "198.51.100.1",
    "reserve": "198.51.100.2",
}
NUMBERS = {name: f"+32210000{host[-2:]}" for name, host in HOSTS.items()} | {"alice": "+3216234567"}
SECOND = "+3221000099"
ADDRESS = {
    "country": "BE",
    "postcode": "9000",
    "municipality": "Gent",
    "street": "Veldstraat",
    "number": "1",
    "name": "Bakkerij Peeters BV",
    "language": "nl",
}
GATEWAYS = tuple(Gateway(name, host, 5060) for name, host in (("gw1", "192.0.2.11"), ("gw2", "192.0.2.12")))


def lines() -> list[Line]:
    """A line in every state, known by its address, and alice, who proves herself."""
    states = ("active", "limited", "restricted", "suspended", "terminated")
    secrets = {"MD5": ha1("MD5", "alice", DOMAIN, "secret")}
    return [
        *(
            Line(
                user=state,
                numbers=(NUMBERS[state], SECOND) if state == "active" else (NUMBERS[state],),
                account=Account({}, ()),
                plan="classic",
                state=state,
                address=ADDRESS,
                sources=(HOSTS[state],),
            )
            for state in states
        ),
        Line("alice", (NUMBERS["alice"],), Account(secrets, ("MD5",)), "classic", address=ADDRESS),
    ]


def settings() -> Settings:
    book, directory = tables()
    names = ("carrier", "reserve")
    return Settings(
        listen=(Listener("udp", HERE),),
        advertised={},
        domain=DOMAIN,
        realm=DOMAIN,
        media=MediaSettings({4: HERE.host}, {4: HERE.host}, silence_ms=30_000),
        media_ports=(40_000, 40_080),
        tariffs=book,
        emergency=replace(directory, gateways=dict.fromkeys(directory.centres, GATEWAYS)),
        trunks=tuple(
            TrunkSettings(name, HOSTS[name], 5060, sources=(ip_network(HOSTS[name]),), max_calls=10)
            for name in names
        ),
        limits=CallLimits(max_s=7200),
    )


def is_free(quote: Quote, now: Moment) -> bool:
    """Whether the first second of a call placed now costs nothing."""
    phase = quote.terms.phase_at(now.wall_ns // NS_PER_S)
    return (phase.per_minute, phase.setup) == (0, 0)


class Desk:
    """The gate with its tables, what runs at the moment, and why it is closed."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.why = ""
        self.switch = Switch(settings(), lines(), Chance(), at(0))
        self.gate = Gate(
            settings=settings(),
            identity=self.switch.identity,
            registrar=self.switch.registrar,
            trunks=self.switch.trunks,
            services=self.switch.services,
            charging=self.switch.charging,
            help_desk=HelpDesk(
                settings=settings(),
                identity=self.switch.identity,
                registrar=self.switch.registrar,
                gateways=self.switch.gateways,
                running=lambda name: self.running[name],
            ),
            token=lambda: "token",
            running=lambda name: self.running[name],
            closed=lambda: self.why,
        )

    def change(self, user: str, **changes: Any) -> None:
        """A line is not as it was."""
        table = self.switch.lines.by_user
        self.switch.replace_lines(
            [replace(one, **changes) if one.user == user else one for one in table.values()], at(0)
        )

    def register(self, user: str, contact: str = "") -> None:
        """A phone of that line is there."""
        uri = contact or f"sip:{user}@192.0.2.80"
        request = make_request(
            "REGISTER", f"sip:{DOMAIN}", "", {"Contact": f"<{uri}>", "Call-ID": f"reg-{uri}"}
        )
        flow = Flow("udp", HERE, Address("192.0.2.80", 5061))
        self.switch.registrar.register(self.switch.lines.by_user[user], request, flow, at(0))

    def ask(
        self,
        uri: str,
        source: str = "active",
        fields: Mapping[str, Row] | None = None,
        *,
        now: Moment = OFF_PEAK,
    ) -> Admission | Refusal | Unproven:
        """The decision about an INVITE."""
        if ":" not in uri:
            uri = f"sip:{uri}@{DOMAIN}"
        number = NUMBERS[source]
        defaults: dict[str, Row] = {
            "From": f"<sip:{number}@{DOMAIN}>;tag=a1",
            "Contact": "<sip:a@192.0.2.80>",
        }
        request = make_request("INVITE", uri, "", {**defaults, **(fields or {})})
        flow = Flow("udp", HERE, Address(HOSTS.get(source, HOSTS["nobody"]), 5060))
        decision = self.gate.admit(request, flow, now)
        assert not isinstance(decision, Service)
        return decision

    def admitted(self, uri: str, source: str = "active", **more: Any) -> Admission:
        """The same, where a call is expected."""
        decision = self.ask(uri, source, **more)
        assert isinstance(decision, Admission), decision
        return decision


def told(decision: Admission | Refusal | Unproven) -> str:
    """A decision in two words."""
    match decision:
        case Admission():
            return "allowed" if not decision.emergency else "emergency"
        case Refusal():
            return f"{decision.status} {decision.verdict}"
        case Challenge():
            return "401"
    return "403"


def targets(admission: Admission) -> list[list[str]]:
    """The names of the targets of every stage."""
    return [[target.name for target in stage.targets] for stage in admission.plan.stages]


def first(admission: Admission) -> Target:
    return admission.plan.stages[0].targets[0]


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- the table of states (domain guide section 8) -----------------------------------------------------------

MOBILE, FREEPHONE, HELPLINE, ABROAD = "0478123456", "080012345", "107", "0033123456789"


@pytest.mark.parametrize(
    ("state", "emergency", "helpline", "freephone", "included", "charged", "abroad"),
    [
        ("active", "emergency", "allowed", "allowed", "allowed", "allowed", "allowed"),
        ("limited", "emergency", "allowed", "allowed", "allowed", "403 line-limited", "403 line-limited"),
        ("restricted", "emergency", "allowed", *["403 line-restricted"] * 4),
        ("suspended", "emergency", "allowed", *["403 line-suspended"] * 4),
        ("terminated", "emergency", "allowed", *["403 line-terminated"] * 4),
    ],
)
def test_what_a_line_may_call_in_its_state(
    state: str,
    emergency: str,
    helpline: str,
    freephone: str,
    included: str,
    charged: str,
    abroad: str,
    desk: Desk,
) -> None:
    assert told(desk.ask("112", state)) == emergency
    assert told(desk.ask(HELPLINE, state)) == helpline
    assert told(desk.ask(FREEPHONE, state)) == freephone
    assert told(desk.ask(MOBILE, state, now=OFF_PEAK)) == included
    assert told(desk.ask(MOBILE, state, now=PEAK)) == charged
    assert told(desk.ask("00385123456789", state)) == abroad


@pytest.mark.parametrize("state", ["active", "limited", "restricted", "suspended", "terminated"])
@pytest.mark.parametrize(
    "dialled",
    [
        "102",
        "110",
        "116000",
        "1813",
        "1712",
        "070245245",
        "+3226499555",
        "080032123",
        "sip:0800%2032%20123@x",
    ],
)
def test_helplines_are_free_and_open_in_every_state(dialled: str, state: str, desk: Desk) -> None:
    """R-EMG-01; 070 245 245 and 02 649 95 55 lie in ranges that cost."""
    admission = desk.admitted(dialled, state, now=PEAK)
    assert admission.quote is not None
    assert is_free(admission.quote, PEAK)
    assert not admission.emergency


def test_a_helpline_can_be_called_by_its_service_urn(desk: Desk) -> None:
    assert desk.admitted("urn:service:counseling.children").called == "102"


@pytest.mark.parametrize(
    ("state", "from_line", "from_trunk"),
    [
        ("active", "allowed", "allowed"),
        ("limited", "allowed", "allowed"),
        ("restricted", "allowed", "allowed"),
        ("suspended", "480 callee-suspended", "480 callee-suspended"),
        ("terminated", "404 no-line", "404 no-line"),
    ],
)
def test_who_may_call_a_line_in_its_state(state: str, from_line: str, from_trunk: str, desk: Desk) -> None:
    desk.register(state)
    desk.register("alice")
    caller = "limited" if state == "active" else "active"
    assert told(desk.ask(NUMBERS[state], caller)) == from_line
    assert told(desk.ask(NUMBERS[state], "carrier")) == from_trunk


@pytest.mark.parametrize("number", ["0033123456789", "+441534123456", "00385123456789", "+37912345678"])
def test_a_line_that_may_not_call_abroad(number: str, desk: Desk) -> None:
    """Abroad is what is not +32, zone A included (R-POL-02)."""
    desk.change("active", abroad=False)
    assert told(desk.ask(number)) == "403 barred-international"
    for open_to_it in (MOBILE, FREEPHONE, HELPLINE, "112"):
        assert told(desk.ask(open_to_it)) in ("allowed", "emergency")


# --- what was dialled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialled", "decision"),
    [
        ("0478123456", "allowed"),
        ("+32478123456", "allowed"),
        ("0032478123456", "allowed"),
        ("tel:+32-478-12-34-56", "allowed"),
        ("478123456", "404 bad-number"),
        ("bob", "404 bad-number"),
        ("047812345a", "404 bad-number"),
        ("+0478123456", "404 bad-number"),
        ("017123456", "404 no-destination"),  # no such zone
        ("+99912345678", "404 no-destination"),
        ("1123", "404 no-destination"),  # not 112
        ("0112", "404 bad-number"),
    ],
)
def test_what_a_line_dials(dialled: str, decision: str, desk: Desk) -> None:
    assert told(desk.ask(dialled)) == decision


def test_where_no_price_is_the_call_is_refused_and_not_free(desk: Desk) -> None:
    """R-TAR-14."""
    desk.change("active", plan="no-such-plan")
    assert told(desk.ask(MOBILE)) == "403 unknown-plan"
    desk.change("active", plan="classic-in-klik", options=("24-belgium",))
    assert told(desk.ask(MOBILE)) == "403 not-orderable"
    assert told(desk.ask(HELPLINE)) == "allowed"  # whatever its plan
    desk.change("active", plan="classic", options=())
    assert told(desk.ask(MOBILE, now=Moment(0, 0))) == "403 no-tariff"


def test_a_request_without_a_number_cannot_be_routed(desk: Desk) -> None:
    with pytest.raises(Malformed) as caught:
        desk.ask(f"sip:{DOMAIN}")
    assert caught.value.status == 404


def test_a_call_that_went_in_circles_ends_unless_it_is_for_help(desk: Desk) -> None:
    with pytest.raises(Malformed) as caught:
        desk.ask(MOBILE, fields={"Max-Forwards": "0"})
    assert caught.value.status == 483
    assert told(desk.ask("112", fields={"Max-Forwards": "0"})) == "emergency"


def test_the_price_is_that_of_plan_options_and_time(desk: Desk) -> None:
    peak = desk.admitted(MOBILE, now=PEAK).quote
    off_peak = desk.admitted(MOBILE, now=OFF_PEAK).quote
    assert peak is not None
    assert off_peak is not None
    assert peak.plan == "classic"
    assert (is_free(peak, PEAK), is_free(off_peak, OFF_PEAK)) == (False, True)
    desk.change("active", options=("24-belgium",))
    cheaper = desk.admitted(MOBILE, now=PEAK).quote
    assert cheaper is not None
    assert (is_free(cheaper, PEAK), cheaper.options) == (True, ("24-belgium",))


@pytest.mark.parametrize(("dialled", "limit_s"), [(MOBILE, 7200), ("090212345", 600), ("070123456", 7200)])
def test_a_call_is_cut_by_the_law_or_by_its_price_row(dialled: str, limit_s: int, desk: Desk) -> None:
    """R-LIM-01, R-SPC-04."""
    desk.change("active", premium=True)
    assert desk.admitted(dialled).limit_s == limit_s


@pytest.mark.parametrize("dialled", ["090212345", "070123456"])
def test_premium_numbers_are_barred_unless_the_line_asked_for_them(dialled: str, desk: Desk) -> None:
    """R-SPC-04: free, and on by default; the helplines among them stay open."""
    assert told(desk.ask(dialled)) == "403 barred-premium"
    assert told(desk.ask("070245245")) == "allowed"


# --- limits -------------------------------------------------------------------------------------------------


def test_a_line_has_so_many_calls_and_no_more(desk: Desk) -> None:
    active = line_name(desk.switch.lines.by_user["active"])
    desk.running[active] = 1
    assert told(desk.ask(MOBILE)) == "allowed"
    desk.running[active] = 2
    assert told(desk.ask(MOBILE)) == "486 line-calls"
    assert told(desk.ask("112")) == "emergency"


@pytest.mark.parametrize(("caller", "verdict"), [("limited", "callee-calls"), ("carrier", "line-calls")])
def test_a_line_whose_calls_are_all_taken_is_busy(caller: str, verdict: str, desk: Desk) -> None:
    desk.register("active")
    assert told(desk.ask(NUMBERS["active"], caller)) == "allowed"
    desk.running[line_name(desk.switch.lines.by_user["active"])] = 2
    assert told(desk.ask(NUMBERS["active"], caller)) == f"486 {verdict}"


@pytest.mark.parametrize("why", ["stopping", "journal-full", "switch-calls"])
def test_a_closed_switch_takes_calls_for_help_only(why: str, desk: Desk) -> None:
    desk.register("active")
    desk.why = why
    for uri, caller in ((MOBILE, "active"), (NUMBERS["active"], "carrier")):
        refusal = desk.ask(uri, caller)
        assert told(refusal) == f"503 {why}"
        assert isinstance(refusal, Refusal)
        assert (refusal.fields or {})["Retry-After"] == ["30"]
    assert told(desk.ask("112")) == "emergency"
    assert told(desk.ask("+999123456789")) == "404 no-destination"  # will be so tomorrow too


def test_a_trunk_that_is_full_is_left_out(desk: Desk) -> None:
    assert targets(desk.admitted(MOBILE)) == [["carrier"], ["reserve"]]
    desk.running[trunk_name("carrier")] = 10
    assert targets(desk.admitted(MOBILE)) == [["reserve"]]
    desk.running[trunk_name("reserve")] = 10
    assert told(desk.ask(MOBILE)) == "503 no-route"


def test_a_line_and_a_trunk_may_be_called_alike(desk: Desk) -> None:
    desk.running[trunk_name("active")] = 10
    assert told(desk.ask(MOBILE)) == "allowed"


# --- whose number -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "presented"),
    [
        (f"sip:{NUMBERS['active']}@{DOMAIN}", NUMBERS["active"]),
        (f"sip:{SECOND}@{DOMAIN}", SECOND),
        (f"sip:021000099@{DOMAIN}", SECOND),
        (f"sip:active@{DOMAIN}", NUMBERS["active"]),
        (f"sip:+33123456789@{DOMAIN}", NUMBERS["active"]),
        (f"sip:{NUMBERS['limited']}@{DOMAIN}", NUMBERS["active"]),
        (f"sip:080012345@{DOMAIN}", NUMBERS["active"]),
        ("mailto:somebody@example.com", NUMBERS["active"]),
    ],
    ids=["main", "second", "second, as dialled", "user", "abroad", "another line's", "special", "no SIP"],
)
def test_a_line_presents_a_number_of_its_own_or_its_main_one(
    claimed: str, presented: str, desk: Desk
) -> None:
    """R-POL-06; a P-Asserted-Identity of a phone is not believed."""
    fields: dict[str, Row] = {"From": f"<{claimed}>;tag=a1", "P-Asserted-Identity": "<sip:+33123456789@x>"}
    admission = desk.admitted(MOBILE, fields=fields)
    national = "0" + presented[3:]
    assert admission.caller == presented
    assert admission.sender == f'"{national}" <sip:{presented}@{DOMAIN};user=phone>'
    assert first(admission).fields["P-Asserted-Identity"] == [f"<sip:{presented}@{DOMAIN};user=phone>"]


@pytest.mark.parametrize(
    ("fields", "withheld"),
    [
        ({"Privacy": "id"}, True),
        ({"Privacy": "header;user"}, True),
        ({"Privacy": " ID "}, True),
        ({"From": '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1'}, True),
        ({"Privacy": "none"}, False),
        ({}, False),
    ],
)
def test_a_number_may_be_withheld_from_the_called_but_not_from_the_carrier(
    fields: Mapping[str, Row], withheld: bool, desk: Desk
) -> None:
    """RFC 3323, RFC 3325."""
    admission = desk.admitted(MOBILE, fields=fields)
    told_on = first(admission).fields
    assert ("anonymous.invalid" in admission.sender) is withheld
    assert ("Privacy" in told_on) is withheld
    assert told_on["P-Asserted-Identity"] == [f"<sip:{NUMBERS['active']}@{DOMAIN};user=phone>"]
    assert admission.caller == NUMBERS["active"]  # in the record


def test_a_phone_is_told_a_name_and_no_asserted_identity(desk: Desk) -> None:
    desk.register("limited")
    admission = desk.admitted(NUMBERS["limited"], fields={"Max-Forwards": "30"})
    assert first(admission).fields == {"Max-Forwards": ["29"]}
    assert first(admission).follows_flow


# --- who it is ----------------------------------------------------------------------------------------------


def test_a_stranger_is_challenged_and_may_prove_himself(desk: Desk) -> None:
    challenge = desk.ask(MOBILE, "alice")
    assert isinstance(challenge, Challenge)
    uri = f"sip:{MOBILE}@{DOMAIN}"
    right = digest_answer(challenge.rows[0], "INVITE", uri, "alice", "secret")
    wrong = digest_answer(challenge.rows[0], "INVITE", uri, "alice", "guessed")
    assert told(desk.ask(uri, "alice", {"Authorization": wrong})) == "403"
    assert (
        desk.admitted(uri, "alice", fields={"Authorization": right}).line
        == desk.switch.lines.by_user["alice"]
    )
    assert told(desk.ask(NUMBERS["active"], "nobody")) == "401"


# --- to a line ----------------------------------------------------------------------------------------------


def test_all_contacts_of_a_line_are_called_at_once(desk: Desk) -> None:
    desk.register("alice", "sip:one@192.0.2.81")
    desk.register("alice", "sip:two@192.0.2.82")
    (stage,) = desk.admitted(NUMBERS["alice"]).plan.stages
    assert sorted(target.uri for target in stage.targets) == ["sip:one@192.0.2.81", "sip:two@192.0.2.82"]
    assert {target.flow.remote for target in stage.targets} == {Address("192.0.2.80", 5061)}
    assert (stage.trunk, stage.ring_ns) == ("", 60 * NS_PER_S)


def test_a_line_that_is_not_registered_cannot_be_reached(desk: Desk) -> None:
    assert told(desk.ask(NUMBERS["alice"])) == "480 not-registered"
    assert told(desk.ask(NUMBERS["alice"], "carrier")) == "480 not-registered"


def test_equipment_is_called_at_its_address(desk: Desk) -> None:
    target = first(desk.admitted(NUMBERS["limited"]))
    assert target.uri == f"sip:{NUMBERS['limited']}@{HOSTS['limited']}"
    assert target.flow.remote == Address(HOSTS["limited"], 5060)
    desk.change("limited", sources=("192.0.2.0/28",))
    assert told(desk.ask(NUMBERS["limited"])) == "480 not-registered"  # a network is no place to call


# --- from a trunk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialled", "decision"),
    [
        (NUMBERS["active"], "allowed"),
        ("021000010", "allowed"),
        (SECOND, "allowed"),
        (MOBILE, "404 no-line"),
        ("+33123456789", "404 no-line"),
        ("bob", "404 no-line"),
        ("112", "404 no-line"),
    ],
)
def test_a_carrier_reaches_our_lines_and_nothing_else(dialled: str, decision: str, desk: Desk) -> None:
    """No way leads from trunk to trunk, nor from a trunk to an emergency centre."""
    assert told(desk.ask(dialled, "carrier")) == decision


def test_a_call_from_a_carrier_costs_the_line_nothing(desk: Desk) -> None:
    admission = desk.admitted(NUMBERS["active"], "carrier")
    assert (admission.line, admission.quote, admission.trunk) == (None, None, "carrier")
    assert admission.limit_s == 7200


@pytest.mark.parametrize(
    ("fields", "caller", "restricted", "shown"),
    [
        ({"From": "<sip:+33123456789@c>;tag=1"}, "+33123456789", "", "0033123456789"),
        ({"From": "<sip:0478123456@c>;tag=1"}, "+32478123456", "", "0478123456"),
        ({"P-Asserted-Identity": "<tel:+33199999999>"}, "+33199999999", "", "0033199999999"),
        ({"From": "<sip:anonymous@anonymous.invalid>;tag=1"}, "", "", "Anonymous"),
        ({"P-Asserted-Identity": "<sip:+33199999999@c>", "Privacy": "id"}, "", "+33199999999", "Anonymous"),
        ({"From": "<sip:bob@c>;tag=1"}, "", "", "Anonymous"),
    ],
)
def test_the_caller_is_who_the_carrier_says(
    fields: Mapping[str, Row], caller: str, restricted: str, shown: str, desk: Desk
) -> None:
    """Who does not want to be known is no caller in the record; his number is kept apart (R-MAL-01)."""
    admission = desk.admitted(NUMBERS["active"], "carrier", fields=fields)
    assert (admission.caller, admission.restricted) == (caller, restricted)
    assert admission.sender.startswith(f'"{shown}" ')


# --- emergency ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri", ["112", "100", "101", "+32112", "tel:112", "urn:service:sos", "urn:service:sos.police"]
)
def test_a_call_for_help_goes_to_both_gateways_and_costs_nothing(uri: str, desk: Desk) -> None:
    admission = desk.admitted(uri)
    assert targets(admission) == [["gw1"], ["gw2"]]
    assert admission.plan.emergency
    assert (admission.quote, admission.limit_s) == (None, 0)
    assert admission.verdict.startswith("emergency-")
    assert first(admission).fields["Priority"] == ["emergency"]
    assert first(admission).fields["P-Asserted-Identity"] == [
        f"<sip:{NUMBERS['active']}@{DOMAIN};user=phone>"
    ]
    stage = admission.plan.stages[0]
    assert (stage.reply_ns, stage.provisional_ns, stage.ring_ns) == (2 * NS_PER_S, 6 * NS_PER_S, 0)


def test_the_centre_is_that_of_the_registered_address(desk: Desk) -> None:
    """R-EMG-03; a line without one is sent to the default centre, with an alarm."""
    own = desk.admitted("112").verdict
    desk.change("active", address={**ADDRESS, "postcode": "4000"})
    assert desk.admitted("112").verdict != own
    desk.change("active", address={**ADDRESS, "postcode": "0000"})
    assert desk.admitted("112").verdict == "emergency-address-faulty"
    desk.change("active", address={"postcode": "9000"})  # whatever it lacks
    assert desk.admitted("112").verdict == "emergency-address-faulty"
    desk.change("active", address=None)
    assert desk.admitted("112").verdict == "emergency-address-missing"


@pytest.mark.parametrize(
    ("policy", "stranger", "known", "proven_by_address"),
    [
        ("never", "401", "401", "emergency"),
        ("known_aor", "401", "emergency", "emergency"),
        ("any", "emergency", "emergency", "emergency"),
    ],
)
def test_whose_call_for_help_needs_no_password(
    policy: str, stranger: str, known: str, proven_by_address: str, desk: Desk
) -> None:
    """R-EMG-05 (`emergency.unknown_sources`)."""
    desk.gate.help.settings = replace(settings(), emergency_without_digest=policy)
    by_user = {"From": f"<sip:alice@{DOMAIN}>;tag=a1"}
    assert told(desk.ask("112", "nobody")) == stranger
    assert told(desk.ask("112", "alice")) == known
    assert told(desk.ask("112", "alice", by_user)) == known
    assert told(desk.ask("112", "active")) == proven_by_address


def test_a_wrong_password_is_no_reason_to_refuse_help(desk: Desk) -> None:
    challenge = desk.ask(MOBILE, "alice")
    assert isinstance(challenge, Challenge)
    wrong = digest_answer(challenge.rows[0], "INVITE", f"sip:112@{DOMAIN}", "alice", "guessed")
    assert told(desk.ask("112", "alice", {"Authorization": wrong})) == "emergency"


@pytest.mark.parametrize(
    "sender", ["<mailto:somebody@example.com>;tag=a1", "<sip:anonymous@anonymous.invalid>;tag=a1"]
)
def test_a_sender_that_says_nothing_is_no_reason_to_refuse_help(sender: str, desk: Desk) -> None:
    admission = desk.admitted("112", fields={"From": sender})
    assert admission.caller == NUMBERS["active"]
    assert "anonymous" not in admission.sender


def test_a_phone_is_known_by_the_flow_it_registered_over(desk: Desk) -> None:
    desk.register("alice")
    sender = {"From": "<sip:anonymous@anonymous.invalid>;tag=a1"}
    request = make_request("INVITE", f"sip:112@{DOMAIN}", "", sender)
    flow = Flow("udp", HERE, Address("192.0.2.80", 5061))
    admission = desk.gate.admit(request, flow, OFF_PEAK)
    assert isinstance(admission, Admission)
    assert (admission.caller, admission.proven) == (NUMBERS["alice"], True)


def test_names_that_prove_nothing_do_not_take_every_port(desk: Desk) -> None:
    assert not desk.admitted("112", "alice").proven
    desk.running[UNPROVEN] = MOST_UNPROVEN
    assert told(desk.ask("112", "alice")) == "401"
    assert desk.admitted("112", "active").proven


def test_a_terminated_line_is_nobodys_name(desk: Desk) -> None:
    desk.change("alice", state="terminated")
    assert told(desk.ask("112", "alice")) == "401"


@pytest.mark.parametrize(
    ("caller", "expected", "shown"),
    [
        ("+3222345678", "403 belgian-caller", ""),
        ("+3278151515", "403 belgian-caller", ""),
        ("+32478123456", "allowed", ""),
        ("+33123456789", "allowed", "+33123456789"),
    ],
)
def test_belgian_callers_do_not_come_from_abroad(desk: Desk, caller: str, expected: str, shown: str) -> None:
    """R-POL-10: fixed and other numbers are blocked, mobiles come in without their number."""
    carrier = desk.switch.trunks.get("carrier")
    assert carrier is not None
    carrier.settings = replace(carrier.settings, international=True)
    decision = desk.ask(NUMBERS["active"], "carrier", fields={"From": f"<sip:{caller}@abroad.example>;tag=1"})
    assert told(decision) == expected
    if isinstance(decision, Admission):
        assert decision.caller == shown


def test_no_secret_is_shown_where_settings_are_printed() -> None:
    secret = TrunkSettings("carrier", "192.0.2.1", 5060, credentials=("user", "pass-word"))
    assert "pass-word" not in repr(secret)
    assert "d41d8cd98f00b204" not in repr(Account({"MD5": "d41d8cd98f00b204"}, ("MD5",)))


def test_a_plan_may_have_a_limit_of_its_own_for_its_calls(desk: Desk) -> None:
    """R-LIM-01, per plan; for calls that come to the line as well."""
    book = desk.switch.settings.tariffs
    short = [
        replace(one, plans={**one.plans, "classic": replace(one.plans["classic"], longest_s=600)})
        for one in book.tariffs
    ]
    desk.gate.replace_settings(
        replace(settings(), tariffs=TariffBook(short, book.calendar, book.destinations))
    )
    desk.register("active")
    assert desk.admitted(MOBILE).limit_s == 600
    assert desk.admitted(NUMBERS["active"], "carrier").limit_s == 600
    desk.change("active", plan="classic-in-klik")
    assert desk.admitted(MOBILE).limit_s == 7200
