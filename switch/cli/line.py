"""`belswitch line`: the lines in the database. A running switch is told of every change.

What is typed is checked as a file of lines is (`switch.config.lines`), the plan and its options against the
tariff in force (R-OPT-01 to -03), the address as an emergency centre will read it (R-EMG-02, R-NUM-04).
Passwords come from a prompt or from standard input, are kept as digests only and are never shown.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli import line_store
from switch.cli.common import (
    ConfigOption,
    JsonOption,
    console,
    fail_with_faults,
    load_config,
    print_json,
    run,
)

if TYPE_CHECKING:
    from switch.config.lines import LineEntry
    from switch.routing.lines import Line

NOTHING = "-"
"""Given for a list, it empties the list."""

PLANS_CAP = "plan"
"""Given for the cap: what the plan says."""

group = typer.Typer(help="The lines: who may register and call.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="LINE", help="The line's user, or one of its numbers.")]
Numbers = Annotated[
    list[str] | None, typer.Option("--number", metavar="E164", help="A further number; '-' for none.")
]
Plan = Annotated[str | None, typer.Option(help="The plan, as the tariff names it.")]
Options = Annotated[list[str] | None, typer.Option("--option", help="An option of the plan; '-' for none.")]
Kind = Annotated[str | None, typer.Option(metavar="desk|dect|softphone", help="What is registered with it.")]
State = Annotated[
    str | None, typer.Option(metavar="active|limited|restricted|suspended|terminated", help="What it may do.")
]
Cap = Annotated[
    str | None,
    typer.Option(
        metavar="EUR|none|plan", help="What may be charged a month, VAT included; 'plan': what the plan says."
    ),
]
Concluded = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="When the contract was concluded, 2026-11-25; '-': not known."),
]
Premium = Annotated[
    bool | None, typer.Option("--premium/--no-premium", help="May call 070 and 090x; barred otherwise.")
]
MaxCalls = Annotated[int | None, typer.Option(help="Calls at a time.")]
MaxContacts = Annotated[int | None, typer.Option(help="Devices at a time.")]
Algorithms = Annotated[
    list[str] | None,
    typer.Option(
        "--algorithm", metavar="MD5|SHA-256", help="Offered, in this order; '-' for those of the transport."
    ),
]
Lenient = Annotated[
    bool | None, typer.Option("--lenient/--strict", help="Take digests without qop, as pyVoIP's.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NETWORK", help="Admitted without password; '-' for none."),
]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Postcode = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
Municipality = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
SubMunicipality = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
Street = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
HouseNumber = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
Suffix = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
Box = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
Floor = Annotated[str | None, typer.Option(rich_help_panel="Registered address")]
Name = Annotated[str | None, typer.Option(rich_help_panel="Registered address", help="The subscriber's.")]
Language = Annotated[str | None, typer.Option(rich_help_panel="Registered address", metavar="nl|fr|de")]


@group.command()
def add(
    number: Annotated[str, typer.Argument(help="The main number, +3216234567.")],
    user: Annotated[str, typer.Option(help="What it registers as.")],
    plan: Annotated[str, typer.Option(help="The plan, as the tariff names it.")],
    config: ConfigOption = None,
    more: Numbers = None,
    option: Options = None,
    kind: Kind = None,
    state: State = None,
    cap: Cap = None,
    concluded: Concluded = None,
    premium: Premium = None,
    max_calls: MaxCalls = None,
    max_contacts: MaxContacts = None,
    algorithm: Algorithms = None,
    lenient: Lenient = None,
    source: Sources = None,
    password_stdin: FromStdin = False,
    postcode: Postcode = None,
    municipality: Municipality = None,
    sub_municipality: SubMunicipality = None,
    street: Street = None,
    house_number: HouseNumber = None,
    suffix: Suffix = None,
    box: Box = None,
    floor: Floor = None,
    name: Name = None,
    language: Language = None,
) -> None:
    """Add a line. Its password is asked for, unless it is admitted by address."""
    document = _given(
        number=number,
        user=user,
        numbers=_list(more),
        plan=plan,
        options=_list(option),
        kind=kind,
        state=state,
        cap=cap,
        concluded=_date(concluded),
        premium=premium,
        max_calls=max_calls,
        max_contacts=max_contacts,
        algorithms=_list(algorithm),
        lenient=lenient,
        sources=_list(source),
    )
    document["address"] = _address(
        postcode, municipality, sub_municipality, street, house_number, suffix, box, floor, name, language
    )
    if password_stdin or not document.get("sources"):
        document["password"] = _password(password_stdin)
    directory, settings = load_config(config)
    entry = _entry(document)
    _check(directory, [entry])
    run(line_store.write(settings, [entry], replace_them=False))
    print(f"added {entry.number} as {entry.user}")


@group.command("set")
def set_(
    line: Which,
    config: ConfigOption = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    password_stdin: FromStdin = False,
    more: Numbers = None,
    plan: Plan = None,
    option: Options = None,
    kind: Kind = None,
    state: State = None,
    cap: Cap = None,
    concluded: Concluded = None,
    premium: Premium = None,
    max_calls: MaxCalls = None,
    max_contacts: MaxContacts = None,
    algorithm: Algorithms = None,
    lenient: Lenient = None,
    source: Sources = None,
    postcode: Postcode = None,
    municipality: Municipality = None,
    sub_municipality: SubMunicipality = None,
    street: Street = None,
    house_number: HouseNumber = None,
    suffix: Suffix = None,
    box: Box = None,
    floor: Floor = None,
    name: Name = None,
    language: Language = None,
) -> None:
    """Change a line; what is not given stays. A list that is given takes the place of the old one."""
    changes = _given(
        numbers=_list(more),
        plan=plan,
        options=_list(option),
        kind=kind,
        state=state,
        cap=cap,
        concluded=_date(concluded),
        premium=premium,
        max_calls=max_calls,
        max_contacts=max_contacts,
        algorithms=_list(algorithm),
        lenient=lenient,
        sources=_list(source),
    )
    address = _address(
        postcode, municipality, sub_municipality, street, house_number, suffix, box, floor, name, language
    )
    directory, settings = load_config(config)
    old = run(line_store.find(settings, line))
    document = _document(old) | changes
    document["address"] = _changed(document["address"], address)
    fresh_password = password or password_stdin
    if fresh_password:
        document["password"] = _password(password_stdin)
    elif old.account.ha1:
        document["password"] = "x" * 16  # for the check only: the digests of the present one stay
    entry = _entry(document)
    _check(directory, [entry])
    run(line_store.write(settings, [entry], replace_them=True, keep=None if fresh_password else old))
    print(f"changed {entry.number}")


@group.command()
def remove(line: Which, config: ConfigOption = None) -> None:
    """Remove a line; it cannot register or be called any more. Its records stay."""
    _, settings = load_config(config)
    number = run(line_store.remove(settings, line))
    print(f"removed {number}")


@group.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A TOML file of lines, passwords in clear.")],
    config: ConfigOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over lines with the same user.")] = False,
) -> None:
    """Import lines from a file, all of them or none."""
    from switch.config.loader import load_lines

    directory, settings = load_config(config)
    entries, faults = load_lines(file)
    if faults:
        fail_with_faults([str(fault) for fault in faults])
    _check(directory, entries)
    run(line_store.write(settings, list(entries), replace_them=replace))
    print(f"imported {len(entries)} lines")


@group.command()
def show(line: Which, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Everything about one line but its password."""
    _, settings = load_config(config)
    facts = shown(run(line_store.find(settings, line)))
    if json:
        print_json(facts)
        return
    from switch.cli.tables import facts_table

    address = {f"address, {key}": value for key, value in (facts.pop("address") or {}).items() if value}
    for key, value in facts.items():
        facts[key] = ", ".join(value) if isinstance(value, list) else value
    facts["algorithms"] = facts["algorithms"] or "those of the transport"
    console().print(facts_table(facts | address))


@group.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All lines."""
    _, settings = load_config(config)
    rows = [shown(line) for line in run(line_store.read(settings))]
    if json:
        print_json(rows)
        return
    from switch.cli.tables import lines_table

    console().print(lines_table(rows))


def shown(line: Line) -> dict[str, Any]:
    """A line as it may be shown: of its password only whether there is one."""
    return {
        "user": line.user,
        "numbers": list(line.numbers),
        "plan": line.plan,
        "options": list(line.options),
        "kind": line.kind,
        "state": line.state,
        "cap": line.cap or "plan",
        "concluded": line.concluded,
        "premium": line.premium,
        "end_user": line.end_user,
        "end_users": line.end_users,
        "devices": list(line.devices),
        "agreement": line.agreement,
        "guarantee": line.guarantee,
        "abroad": line.abroad,
        "withhold": line.withhold,
        "state_reason": line.state_reason,
        "disputed": line.disputed,
        "terminated_on": line.terminated_on,
        "max_calls": line.max_calls,
        "max_contacts": line.max_contacts,
        "password": "set" if line.account.ha1 else "none",
        "algorithms": list(line.account.algorithms),
        "lenient": line.account.lenient,
        "sources": list(line.sources),
        "address": dict(line.address) if line.address else None,
    }


# --- what was typed -----------------------------------------------------------------------------------------


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _list(values: list[str] | None) -> list[str] | None:
    """A repeated option: None when it was not given."""
    return None if not values else [value for value in values if value != NOTHING]


def _address(
    postcode: str | None,
    municipality: str | None,
    sub_municipality: str | None,
    street: str | None,
    number: str | None,
    suffix: str | None,
    box: str | None,
    floor: str | None,
    name: str | None,
    language: str | None,
) -> dict[str, str]:
    return _given(
        postcode=postcode,
        municipality=municipality,
        sub_municipality=sub_municipality,
        street=street,
        number=number,
        suffix=suffix,
        box=box,
        floor=floor,
        name=name,
        language=language,
    )


def _date(text: str | None) -> date | str | None:
    """A date; NOTHING takes it back."""
    try:
        return text if text is None or text == NOTHING else date.fromisoformat(text)
    except ValueError:
        fail_with_faults([f"concluded: must be a date like 2026-11-25, not {text}"])


def _changed(address: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    """The address with these changes, without the translations and the arrondissement of what it was before:
    an emergency centre must not be told the old place in the other language."""
    changed = {key for key, value in changes.items() if value != address.get(key, "")}
    stale = {f"{key}_other" for key in changed}
    if "language" in changed:
        stale |= {key for key in address if key.endswith("_other")}
    if changed & {"postcode", "municipality"}:
        stale.add("arrondissement")
    return {key: value for key, value in address.items() if key not in stale} | changes


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _document(line: Line) -> dict[str, Any]:
    """A stored line as a document for `LineEntry`, without its password."""
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
        "end_user": line.end_user,
        "end_users": line.end_users,
        "devices": list(line.devices),
        "agreement": line.agreement,
        "guarantee": line.guarantee,
        "abroad": line.abroad,
        "withhold": line.withhold,
        "state_reason": line.state_reason,
        "disputed": line.disputed,
        "terminated_on": date.fromisoformat(line.terminated_on) if line.terminated_on else None,
        "address": dict(line.address or {}),
    }


def _entry(document: dict[str, Any]) -> LineEntry:
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


def _check(directory: Path, entries: Any) -> None:
    """Plans and options by the tariff in force (before the first, by that one), addresses by `emergency`."""
    from emergency.location import Address
    from rating.loader import load
    from switch.net.clock import SystemClock

    rating = load(directory)
    if rating.book is None:
        fail_with_faults([str(fault) for fault in rating.faults])
    tariff = rating.book.versions_from(SystemClock().moment().wall_ns)[0]
    faults = []
    for entry in entries:
        plan = tariff.plans.get(entry.plan)
        if plan is None:
            faults.append(f"{entry.user}: plan: must be {' or '.join(tariff.plans)}")
        else:
            allowed = " or ".join(plan.options) or "none"
            wrong = [name for name in entry.options if name not in plan.options]
            faults += [f"{entry.user}: options: {plan.id} has no {name}, but {allowed}" for name in wrong]
        address = Address(**entry.address.model_dump())
        faults += [f"{entry.user}: address: {fault}" for fault in address.faults()]
    if faults:
        fail_with_faults(faults)
