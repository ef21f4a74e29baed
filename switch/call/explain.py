"""What would become of a call: the whole decision in words, by the functions that decide (R-POL, R-TAR).

Nothing is placed. What is asked is a switch of its own that nobody drives (`switch.net.scratch`): a call is
reserved and begun on it to see what it costs and how long the money lasts.
"""

from __future__ import annotations

from typing import Any

from rating.grant import Outlook
from switch.call.admission import Admission, Refusal
from switch.call.charging import Charging
from switch.call.features import feature_of
from switch.call.gate import REASON_OF_DIVERSION, Ask, Gate
from switch.call.policy import SENT_ON, Origin
from switch.call.reasons import REASONS
from switch.ports import Moment
from switch.routing.lines import Line
from switch.sip.history import Diverted

CALL_ID = "explain"


class _Begun:
    """As much of a call as an account looks at."""

    def __init__(self) -> None:
        self.id = CALL_ID
        self.outlook = Outlook()

    def on_outlook(self, outlook: Outlook) -> None:
        self.outlook = outlook


def explain(
    gate: Gate, charging: Charging, line: Line, dialled: str, origin: Origin, now: Moment
) -> dict[str, Any]:
    """The decision about a leg of this line. Amounts are ten-thousandths of a euro, times seconds."""
    facts: dict[str, Any] = {
        "line": line.number,
        "user": line.user,
        "state": line.state,
        "plan": line.plan,
        "origin": origin.value,
        "dialled": dialled,
        "number": "",
        "class": "",
        "country": "",
        "row": "",
    }
    service = gate.service_of(dialled)
    feature = feature_of(dialled)
    if service is not None and service.is_emergency and origin is Origin.DIALLED:
        return facts | _help(gate, line, dialled, now)
    if feature is not None and feature.action != "call":
        return facts | _decided("service", "allowed") | {"feature": feature.action}
    withheld = line.withhold
    number = dialled if service is None else service.number
    if feature is not None:
        number, withheld = feature.number, feature.withhold
    destination = gate.classify(number)
    if not isinstance(destination, Refusal):
        facts |= {
            "number": destination.number,
            "class": destination.cls.value,
            "country": destination.country,
            "row": destination.price,
        }
    reason = {Origin.REDIRECT: "redirect", Origin.TRANSFER: "transfer"}.get(origin, "always")
    chain = (Diverted(line.number, REASON_OF_DIVERSION[reason]),) if origin in SENT_ON else ()
    admission = gate.leave(
        Ask(origin, line, number, line.number, withheld, chain=chain, running=bool(chain)), now
    )
    if isinstance(admission, Refusal):
        return facts | _refused(admission)
    return facts | _allowed(admission, charging)


def _help(gate: Gate, line: Line, dialled: str, now: Moment) -> dict[str, Any]:
    service = gate.service_of(dialled)
    assert service is not None
    found = gate.help.dispatch(service, line, line.number, now, CALL_ID)
    return {
        **_decided("emergency", found.route.reason),
        "number": service.number,
        "class": "EMERGENCY",
        "row": "free",
        "attempts": [[gateway.id] for gateway in found.route.gateways],
        "price": None,
        "allowed_s": None,
        "cut": "",
    }


def _refused(why: Refusal) -> dict[str, Any]:
    reason = REASONS[why.verdict]
    return {
        **_decided("refused", why.verdict),
        "status": why.status,
        "cause": reason.cause,
        "text": reason.text,
    }


def _allowed(admission: Admission, charging: Charging) -> dict[str, Any]:
    attempts = [[target.name for target in stage.targets] for stage in admission.plan.stages]
    facts: dict[str, Any] = {
        **_decided("allowed", admission.verdict),
        "presented": "" if admission.withheld else admission.caller,
        "attempts": attempts,
        "diverts": admission.diverts,
        "price": None,
        "allowed_s": admission.limit_s or None,
        "cut": "limit" if admission.limit_s else "",
    }
    line, quote = admission.line, admission.quote
    if line is None or quote is None:
        return facts
    begun = _Begun()
    refused = charging.reserve(CALL_ID, line, quote, 0) or charging.begin(begun, line, admission.limit_s)
    if refused is not None:
        return facts | _decided("refused", refused.value)
    view = charging.view(CALL_ID, line)
    outlook = begun.outlook
    if outlook.stop_s is not None and outlook.reason is not None:
        facts |= {"allowed_s": outlook.stop_s, "cut": outlook.reason.value}
    first = charging.settle(CALL_ID, line, 1)
    facts["price"] = {
        "tariff": quote.version,
        "setup": first.setup,
        "per_minute": view["per_minute"],
        "source": view["source"],
        "bundle_left_s": view["bundle_left_s"],
        "next_change_s": view["next_change_s"],
    }
    return facts


def _decided(decision: str, code: str) -> dict[str, Any]:
    return {"decision": decision, "code": code}
