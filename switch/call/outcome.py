"""What a refusal of the called side means for the caller and for the record (RFC 3261 section 16.7)."""

from __future__ import annotations

from switch.call.events import Refused

_OUTCOMES = {486: "busy", 600: "busy", 408: "no-answer", 480: "no-answer", 603: "rejected", 403: "rejected"}


def outcome_of(status: int) -> str:
    """The outcome in the record of a call that ended with this status before the answer."""
    return _OUTCOMES.get(status, "failed")


def better(one: Refused, other: Refused) -> Refused:
    """Of two refusals the one worth telling (RFC 3261 section 16.7 step 6): any 6xx, else what a party
    said before what the network did, else the lower class."""
    rank_one, rank_other = _rank(one), _rank(other)
    return other if rank_other < rank_one else one


def _rank(refusal: Refused) -> tuple[int, int]:
    if refusal.status >= 600:
        return 0, refusal.status
    if refusal.local or refusal.status in (408, 503):
        return 3, refusal.status
    if refusal.status in (401, 407, 415, 420, 484):
        return 1, refusal.status
    return 2 if refusal.status >= 500 else 1, refusal.status + 100


_SAYS_NOTHING_OF_HELP = frozenset({408, 480, 486, 487, 500, 503, 504, 600, 603})


def told_to_a_caller_for_help(best: Refused) -> int:
    """The refusal of the last centre: never one that sounds as if the caller had done something wrong
    (R-EMG-05)."""
    return best.status if best.status in _SAYS_NOTHING_OF_HELP and not best.local else 503


def told_to_caller(best: Refused, *, line: bool) -> int:
    """A refusal as the caller may see it: challenges and redirections of the far side are ours to deal
    with. `line`: a line of ours was called, not a trunk."""
    if best.status in (401, 407) or 300 <= best.status < 400:
        return 500 if best.status in (401, 407) else 480
    if best.local or best.status == 408:
        if line:
            return 480  # a phone that does not answer is not a failure of the network
        return 503 if best.local else 408
    return best.status
