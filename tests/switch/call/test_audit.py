"""The audit of lines: who is asked, and what is found."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from emergency.psap import Directory
from switch.call import audit as audit_module
from switch.call.audit import Audit, Finding, audit, auditing
from switch.call.help import Setup, dispatch_for
from switch.routing.lines import Line
from tests.emergency.test_additional_data import PROVIDER
from tests.emergency.test_location import BAKERY
from tests.switch.routing.support import make_line
from tests.torture.support import tables

WALL_NS = 1_795_532_400_000_000_000
GOOD = make_line("bakery", numbers=("+3216234567", "+3216234568"), address=asdict(BAKERY))


@pytest.fixture(scope="module")
def setup() -> Setup:
    directory: Directory = tables()[1]
    return Setup(directory, PROVIDER, "switch.example")


def test_lines_with_good_addresses_leave_nothing_to_do(setup: Setup) -> None:
    result = audit([GOOD, replace(GOOD, user="other", state="suspended")], setup, WALL_NS)
    assert result == Audit(2, ())
    assert result.without_route == 0


def test_a_terminated_line_is_not_asked(setup: Setup) -> None:
    assert audit([replace(GOOD, state="terminated", address=None)], setup, WALL_NS) == Audit(0, ())


def test_what_is_wrong_is_said_once_a_line(setup: Setup) -> None:
    nowhere = replace(GOOD, address=None, state="limited")
    streetless = replace(GOOD, user="streetless", address=asdict(replace(BAKERY, street="")))
    result = audit([nowhere, GOOD, streetless], setup, WALL_NS)
    assert (result.checked, result.without_route) == (3, 1)
    assert result.findings == (
        Finding(
            "bakery",
            "+3216234567",
            "limited",
            False,
            ("address-missing",),
            ("default centre: the line has no registered address",),
        ),
        Finding(
            "streetless",
            "+3216234567",
            "active",
            True,
            ("address-faulty",),
            ("centre of the registered postcode: street is missing",),
        ),
    )


@pytest.mark.parametrize("address", [{}, {"postcode": 3001}, {"postcode": None, "street": ["x"]}])
def test_no_stored_address_ends_the_audit(setup: Setup, address: dict[str, object]) -> None:
    result = audit([replace(GOOD, address=address), GOOD], setup, WALL_NS)
    assert (result.checked, len(result.findings)) == (2, 1)


def test_the_centres_of_both_networks_are_asked_a_line_at_a_time(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def noting(line: Line, service: object, number: str, *args: object, **more: object) -> object:
        asked.append((number, service.network))  # type: ignore[attr-defined]
        return dispatch_for(line, service, number, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(audit_module, "dispatch_for", noting)
    steps = auditing([GOOD, GOOD], setup, WALL_NS)
    assert next(steps) is None
    assert sorted(asked) == [(GOOD.number, network) for network in ("101", "112")]
