"""Why a call is refused: every reason code of the gate with what is answered to it, in one table.

The code is stable: it is the record's verdict, the metric's label and what `belswitch explain` prints. With
it go the SIP status, the Q.850 cause (RFC 3326), a text for the Warning (RFC 3261 section 20.43) and the name
of the prompt that says it in words.
"""

from __future__ import annotations

from typing import NamedTuple

from switch.call.admission import Refusal
from switch.sip.message import Fields


class Reason(NamedTuple):
    """What a refusal is answered with. `prompt` is '' where nothing is said."""

    status: int
    cause: int
    text: str
    prompt: str = "not-allowed"


UNASSIGNED, NO_ROUTE, REJECTED, BUSY, NOT_THERE, BARRED, CONGESTION, NO_CIRCUIT = 1, 3, 21, 17, 20, 55, 42, 34
"""Q.850 causes."""

REASONS: dict[str, Reason] = {
    # what was dialled
    "bad-number": Reason(404, UNASSIGNED, "no number", "number-unknown"),
    "no-destination": Reason(404, NO_ROUTE, "no such destination", "number-unknown"),
    "no-line": Reason(404, UNASSIGNED, "no such line", "number-unknown"),
    # the state of the line (domain guide section 8)
    "line-restricted": Reason(403, REJECTED, "the line is restricted", "line-restricted"),
    "line-suspended": Reason(403, REJECTED, "the line is suspended", "line-suspended"),
    "line-terminated": Reason(403, REJECTED, "the line has no service", "line-suspended"),
    "line-quarantine": Reason(403, REJECTED, "the line has no service", "line-suspended"),
    "line-closed": Reason(403, REJECTED, "the line may not call", "line-suspended"),
    "line-limited": Reason(403, REJECTED, "nothing that is charged for may be called", "line-restricted"),
    "cap-reached": Reason(403, REJECTED, "the monthly cap is reached", "cap-reached"),
    # what may be called (R-SPC-04, R-POL-02)
    "barred-premium": Reason(403, BARRED, "premium numbers are barred", "premium-barred"),
    "barred-international": Reason(403, BARRED, "international calls are barred", "international-barred"),
    "no-tariff": Reason(403, REJECTED, "no tariff is in force"),
    "no-calendar": Reason(403, REJECTED, "the calendar ends before this day"),
    "unknown-plan": Reason(403, REJECTED, "the plan is unknown"),
    "not-orderable": Reason(403, REJECTED, "the plan does not take the option"),
    "no-price": Reason(403, REJECTED, "the destination has no price"),
    # legs that are caused and not dialled (R-POL-01, R-POL-02, R-POL-11)
    **{
        f"{origin}-{kind}": Reason(403, BARRED, f"{what} to {whither}", "forward-refused")
        for origin, what in (
            ("forward", "no forwarding"),
            ("redirect", "no redirection"),
            ("transfer", "no transfer"),
        )
        for kind, whither in (
            ("international", "international destinations"),
            ("premium", "070 and 090x"),
            ("emergency", "emergency numbers"),
        )
    },
    "transfer-joins-international": Reason(403, BARRED, "no joining of outside parties abroad"),
    "transfer-not-yours": Reason(403, REJECTED, "only a line transfers its own calls"),
    "transfer-emergency": Reason(403, REJECTED, "a call for help is not transferred"),
    "transfer-pending": Reason(491, REJECTED, "another transfer is going on"),
    "transfer-no-dialog": Reason(481, REJECTED, "no such call to join"),
    "too-many-diversions": Reason(482, REJECTED, "sent on too often", "not-possible"),
    "diversion-loop": Reason(482, REJECTED, "sent on in circles", "not-possible"),
    "voicemail": Reason(403, BARRED, "voicemail starts no calls", ""),
    # who calls and who is called
    "belgian-caller": Reason(403, REJECTED, "Belgian caller from abroad", ""),
    "callee-suspended": Reason(480, NOT_THERE, "not reachable", ""),
    "anonymous-rejected": Reason(433, REJECTED, "anonymous calls are not taken"),
    "not-registered": Reason(480, NOT_THERE, "nobody is registered", ""),
    "line-calls": Reason(486, BUSY, "the line has all its calls", ""),
    "callee-calls": Reason(486, BUSY, "the called line has all its calls", ""),
    # the switch
    "no-route": Reason(503, NO_CIRCUIT, "no way there", "congestion"),
    "stopping": Reason(503, CONGESTION, "the switch is stopping", ""),
    "journal-full": Reason(503, CONGESTION, "records cannot be kept", ""),
    "switch-calls": Reason(503, CONGESTION, "the switch has all its calls", ""),
    # feature codes
    "feature-unknown": Reason(404, NO_ROUTE, "no such service", "not-possible"),
    "feature-impossible": Reason(403, REJECTED, "not possible", "not-possible"),
}

RETRY_AFTER_S = {"stopping": 30, "journal-full": 30, "switch-calls": 30}


def refusal(code: str) -> Refusal:
    """The refusal for a reason code; one that is not in the table is a fault of ours."""
    reason = REASONS[code]
    told = "not-reachable" if code == "callee-suspended" else code  # the state of a line is its own affair
    fields: Fields = {
        "Reason": [f'Q.850;cause={reason.cause};text="{reason.text}"'],
        "Warning": [f'399 belswitch "{told}: {reason.text}"'],
    }
    if code in RETRY_AFTER_S:
        fields["Retry-After"] = [str(RETRY_AFTER_S[code])]
    return Refusal(reason.status, code, fields)
