"""The stages of a call, and when the next one is tried (R-EMG-06)."""

from __future__ import annotations

import pytest

from switch.routing.plan import line_stage, moves_on, trunk_stage
from switch.routing.registrar import Binding
from switch.routing.trunks import Trunk, TrunkSettings
from tests.switch.sip.support import FLOW


def test_all_contacts_of_a_line_are_called_at_once() -> None:
    bindings = [
        Binding(f"sip:alice@10.0.0.{n}", "", "c", 1, 1000, 0, FLOW._replace(transport=f"t{n}"), "")
        for n in (1, 2)
    ]
    stage = line_stage(
        bindings, "+3216234567", "<sip:+3216234567@switch.example>", {"Max-Forwards": ["69"]}, 60
    )
    assert [target.uri for target in stage.targets] == ["sip:alice@10.0.0.1", "sip:alice@10.0.0.2"]
    assert [target.flow for target in stage.targets] == [binding.flow for binding in bindings]
    assert all(target.follows_flow and target.name == "+3216234567" for target in stage.targets)
    assert (stage.ring_ns, stage.reply_ns, stage.provisional_ns, stage.trunk) == (60, 0, 0, "")


def test_a_carrier_is_called_by_number() -> None:
    trunk = Trunk(TrunkSettings("carrier", "192.0.2.9", 5070, reply_ns=4, credentials=("u", "p")))
    stage = trunk_stage(trunk, FLOW, "+33145674567", "carrier.example", {}, 180)
    (target,) = stage.targets
    assert target.uri == "sip:+33145674567@carrier.example:5070;user=phone"
    assert target.recipient == "<sip:+33145674567@carrier.example;user=phone>"
    assert target.credentials == ("u", "p")
    assert not target.follows_flow
    assert (stage.reply_ns, stage.ring_ns, stage.trunk) == (4, 180, "carrier")


@pytest.mark.parametrize(
    ("status", "local", "ordinary", "emergency"),
    [
        (408, False, True, True),
        (408, True, True, True),
        (480, False, False, True),
        (480, True, True, True),
        (500, False, True, True),
        (503, False, True, True),
        (599, False, True, True),
        (404, False, False, True),
        (486, False, False, True),
        (487, False, False, False),
        (488, False, False, True),
        (302, False, False, True),
        (600, False, False, True),
        (603, False, False, True),
    ],
)
def test_when_the_next_way_is_tried(status: int, local: bool, ordinary: bool, emergency: bool) -> None:
    assert moves_on(False, status, local) is ordinary
    assert moves_on(True, status, local) is emergency


@pytest.mark.parametrize(
    ("number", "style", "told"),
    [
        ("+3216234567", "e164", "+3216234567"),
        ("+3216234567", "00", "003216234567"),
        ("+3216234567", "national", "016234567"),
        ("+33145674567", "national", "0033145674567"),
        ("1207", "00", "1207"),
    ],
)
def test_the_called_number_as_a_carrier_reads_it(number: str, style: str, told: str) -> None:
    trunk = Trunk(TrunkSettings("carrier", "192.0.2.9", 5060, numbers=style))
    (target,) = trunk_stage(trunk, FLOW, number, "carrier.example", {}, 180).targets
    assert target.uri == f"sip:{told}@carrier.example:5060;user=phone"
    assert target.recipient == f"<sip:{told}@carrier.example;user=phone>"


@pytest.mark.parametrize(
    "kept", [("Diversion", "History-Info"), ("Diversion",), ("History-Info",), tuple[str, ...]()]
)
def test_how_a_carrier_learns_that_a_call_was_sent_on(kept: tuple[str, ...]) -> None:
    fields = {"Diversion": ["<sip:1@h>"], "History-Info": ["<sip:1@h>;index=1"], "Max-Forwards": ["69"]}
    trunk = Trunk(TrunkSettings("carrier", "192.0.2.9", 5060, diversion=kept))
    (target,) = trunk_stage(trunk, FLOW, "+3216234567", "h", fields, 180).targets
    assert set(target.fields) == {"Max-Forwards", *kept}


def test_early_media_is_announced_to_whom_it_matters() -> None:
    """RFC 5009 section 8."""
    for early_media, rows in ((True, ["supported"]), (False, None)):
        trunk = Trunk(TrunkSettings("carrier", "192.0.2.9", 5060, early_media=early_media))
        (target,) = trunk_stage(trunk, FLOW, "+3216234567", "h", {}, 180).targets
        assert target.fields.get("P-Early-Media") == rows
