"""What is typed of a line: the options that `line add` and `line set` share, and what becomes of them.

A command decorated by `takes_a_line` has an option for each field of `Typed`. What was typed is a document as
a file of lines holds it, and is validated as one (`switch.config.lines`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from switch.cli.common import fail_with_faults

if TYPE_CHECKING:
    from switch.config.lines import LineEntry
    from switch.routing.lines import Line

NOTHING = "-"
"""Given for a list, it empties the list."""

PLANS_CAP = "plan"
"""Given for the cap: what the plan says."""

ADDRESS = (
    "postcode",
    "municipality",
    "sub_municipality",
    "street",
    "house_number",
    "suffix",
    "box",
    "floor",
    "name",
    "language",
)
"""The fields of `Typed` that are of the registered address; `house_number` is `number` there."""

_LISTS = {
    "more": "numbers",
    "option": "options",
    "device": "devices",
    "algorithm": "algorithms",
    "source": "sources",
}
"""Options that are repeated, and what their lists are called in a document."""

Which = Annotated[str, typer.Argument(metavar="LINE", help="The line's user, or one of its numbers.")]

_Where = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed of a line; None for what was not."""

    more: Annotated[
        list[str] | None, typer.Option("--number", metavar="E164", help="A further number; '-' for none.")
    ] = None
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the plan; '-' for none.")
    ] = None
    kind: Annotated[
        str | None, typer.Option(metavar="desk|dect|softphone", help="What is registered with it.")
    ] = None
    state: Annotated[
        str | None,
        typer.Option(metavar="active|limited|restricted|suspended|terminated", help="What it may do."),
    ] = None
    cap: Annotated[
        str | None,
        typer.Option(
            metavar="EUR|none|plan",
            help="What may be charged a month, VAT included; 'plan': what the plan says.",
        ),
    ] = None
    concluded: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="When the contract was concluded, 2026-11-25; '-': not known."),
    ] = None
    premium: Annotated[
        bool | None, typer.Option("--premium/--no-premium", help="May call 070 and 090x; barred otherwise.")
    ] = None
    end_user: Annotated[
        str | None, typer.Option(help="Who uses it; left out, the name of the address (R-EUS-01).")
    ] = None
    end_users: Annotated[int | None, typer.Option(help="End users on its licence (R-NUM-02).")] = None
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            metavar="MAC|URN|TEXT",
            help="Rented for it: MAC, +sip.instance or part of the User-Agent (R-EQP-01); '-' for none.",
        ),
    ] = None
    agreement: Annotated[
        bool | None,
        typer.Option("--agreement/--no-agreement", help="On file for forwarding abroad (R-POL-02)."),
    ] = None
    guarantee: Annotated[
        bool | None, typer.Option("--guarantee/--no-guarantee", help="The same: both are needed.")
    ] = None
    abroad: Annotated[bool | None, typer.Option("--abroad/--no-abroad", help="May call abroad.")] = None
    withhold: Annotated[
        bool | None,
        typer.Option("--withhold/--show-number", help="Its number is not shown, unless a call asks for it."),
    ] = None
    disputed: Annotated[
        bool | None,
        typer.Option("--disputed/--undisputed", help="A bill is disputed, the rest is paid (R-SUS-05)."),
    ] = None
    max_calls: Annotated[int | None, typer.Option(help="Calls at a time.")] = None
    max_contacts: Annotated[int | None, typer.Option(help="Devices at a time.")] = None
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm",
            metavar="MD5|SHA-256",
            help="Offered, in this order; '-' for those of the transport.",
        ),
    ] = None
    lenient: Annotated[
        bool | None, typer.Option("--lenient/--strict", help="Take digests without qop, as pyVoIP's.")
    ] = None
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NETWORK", help="Admitted without password; '-' for none."),
    ] = None
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False
    postcode: _Where = None
    municipality: _Where = None
    sub_municipality: _Where = None
    street: _Where = None
    house_number: _Where = None
    suffix: _Where = None
    box: _Where = None
    floor: _Where = None
    name: Annotated[
        str | None, typer.Option(rich_help_panel="Registered address", help="The subscriber's.")
    ] = None
    language: Annotated[
        str | None, typer.Option(rich_help_panel="Registered address", metavar="nl|fr|de")
    ] = None

    def document(self) -> dict[str, Any]:
        """What was given, but for the address and the password."""
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in (*ADDRESS, "password_stdin")
        }
        for name, plural in _LISTS.items():
            values = given.pop(name)
            given[plural] = [value for value in values if value != NOTHING] if values else None
        if self.concluded not in (None, NOTHING):
            given["concluded"] = typed_date("concluded", str(self.concluded))
        return {name: value for name, value in given.items() if value is not None}

    def address(self) -> dict[str, str]:
        """What was given of the address."""
        given = {name: getattr(self, name) for name in ADDRESS}
        given["number"] = given.pop("house_number")
        return {name: value for name, value in given.items() if value is not None}


def takes_a_line(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `Typed` besides its own; it gets them as the argument `typed`."""
    hints = get_type_hints(Typed, include_extras=True)
    names = [field.name for field in fields(Typed)]
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(Typed)
    ]
    own = [
        one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name != "typed"
    ]

    @wraps(command)
    def with_options(**values: Any) -> None:
        typed = Typed(**{name: values.pop(name) for name in names})
        command(**values, typed=typed)

    parameters = [*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own), *options]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_options


def typed_date(name: str, text: str) -> date:
    """A date that was typed; any other text ends the command."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail_with_faults([f"{name}: must be a date like 2026-11-25, not {text}"])


def typed_password(from_stdin: bool) -> str:
    """A password from standard input, or asked for twice."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def changed_address(address: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    """The address with these changes, without the translations and the arrondissement of what it was before:
    an emergency centre must not be told the old place in the other language."""
    changed = {key for key, value in changes.items() if value != address.get(key, "")}
    stale = {f"{key}_other" for key in changed}
    if "language" in changed:
        stale |= {key for key in address if key.endswith("_other")}
    if changed & {"postcode", "municipality"}:
        stale.add("arrondissement")
    return {key: value for key, value in address.items() if key not in stale} | changes


def document_of(line: Line) -> dict[str, Any]:
    """A stored line as a document for `LineEntry`, without its password. An end user who is the subscriber
    stays so when the subscriber's name changes."""
    address = dict(line.address or {})
    return {
        "number": line.number,
        "numbers": list(line.numbers[1:]),
        "user": line.user,
        "sources": list(line.sources),
        "algorithms": list(line.account.algorithms),
        "lenient": line.account.lenient,
        "kind": line.kind,
        "plan": line.plan,
        "options": list(line.options),
        "max_contacts": line.max_contacts,
        "max_calls": line.max_calls,
        "state": line.state,
        "cap": line.cap or PLANS_CAP,
        "concluded": date.fromisoformat(line.concluded) if line.concluded else None,
        "premium": line.premium,
        "end_user": line.end_user if line.end_user not in ("", address.get("name")) else None,
        "end_users": line.end_users,
        "devices": list(line.devices),
        "agreement": line.agreement,
        "guarantee": line.guarantee,
        "abroad": line.abroad,
        "withhold": line.withhold,
        "state_reason": line.state_reason,
        "disputed": line.disputed,
        "terminated_on": date.fromisoformat(line.terminated_on) if line.terminated_on else None,
        "address": address,
    }


def entry_of(document: dict[str, Any]) -> LineEntry:
    """A document as a line to import; its faults end the command."""
    from switch.config.lines import LineEntry
    from switch.config.loader import validate

    cap, concluded = document.get("cap"), document.get("concluded")
    document = document | {
        "algorithms": document.get("algorithms") or None,  # none of its own: the transport's
        "cap": None if cap == PLANS_CAP else cap,
        "concluded": None if concluded == NOTHING else concluded,
    }
    entry, faults = validate(document, LineEntry)
    if entry is None:
        fail_with_faults([f"{fault.key}: {fault.message}" for fault in faults])
    return entry
