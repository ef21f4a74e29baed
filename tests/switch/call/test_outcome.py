"""What a refusal of the called side means: for the record, and for the caller's ears."""

from __future__ import annotations

import pytest

from switch.call.events import Refused
from switch.call.outcome import better, outcome_of, told_to_caller


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (486, "busy"),
        (600, "busy"),
        (480, "no-answer"),
        (408, "no-answer"),
        (603, "rejected"),
        (403, "rejected"),
        (404, "failed"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_a_status_is_an_outcome(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("one", "other", "chosen"),
    [
        (486, 603, 603),  # 6xx speaks for everybody
        (486, 404, 404),  # the lower of a class
        (404, 503, 404),  # what a party said before what the network did
        (408, 486, 486),
        (500, 486, 486),
        (503, 408, 408),
        (486, 415, 415),  # what the caller can mend (section 16.7 step 6)
        (486, 401, 401),
    ],
)
def test_of_two_refusals_the_better_one_is_told_whichever_came_first(
    one: int, other: int, chosen: int
) -> None:
    """RFC 3261 section 16.7."""
    assert better(Refused(one), Refused(other)).status == chosen
    assert better(Refused(other), Refused(one)).status == chosen


def test_of_two_alike_the_first_is_told() -> None:
    first, second = Refused(486, cause=17), Refused(486, cause=34)
    assert better(first, second) is first


def test_silence_says_less_than_any_answer() -> None:
    assert better(Refused(408, local=True), Refused(500)).status == 500


@pytest.mark.parametrize(
    ("refused", "to_a_line", "to_a_trunk"),
    [
        (Refused(486), 486, 486),
        (Refused(603), 603, 603),
        (Refused(401), 500, 500),  # a challenge is between us and the carrier
        (Refused(407), 500, 500),
        (Refused(302), 480, 480),  # so is where else to look
        (Refused(408), 480, 408),
        (Refused(408, local=True), 480, 503),
        (Refused(480, local=True), 480, 503),
        (Refused(503), 503, 503),
    ],
)
def test_what_the_caller_is_told(refused: Refused, to_a_line: int, to_a_trunk: int) -> None:
    assert told_to_caller(refused, line=True) == to_a_line
    assert told_to_caller(refused, line=False) == to_a_trunk
