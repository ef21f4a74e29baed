"""`belswitch line`: the lines in the database. A running switch is told of every change.

What is typed is checked as a file of lines is (`switch.config.lines`), and held against the rules for
numbers, licences and addresses (`switch.cli.line_check`). Passwords come from a prompt or from standard
input, are kept as digests only and are never shown. Suspending and terminating are `switch.cli.line_state`'s.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli import line_check, line_store
from switch.cli.common import (
    ConfigOption,
    JsonOption,
    console,
    fail_with_faults,
    load_config,
    print_json,
    run,
    today,
)
from switch.cli.line_state import enter
from switch.cli.line_typed import (
    Typed,
    Which,
    changed_address,
    document_of,
    entry_of,
    takes_a_line,
    typed_password,
)

if TYPE_CHECKING:
    from switch.routing.lines import Line

group = typer.Typer(help="The lines: who may register and call.", no_args_is_help=True)


@group.command()
@takes_a_line
def add(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The main number, +3216234567.")],
    user: Annotated[str, typer.Option(help="What it registers as.")],
    plan: Annotated[str, typer.Option(help="The plan, as the tariff names it.")],
    typed: Typed,
    config: ConfigOption = None,
) -> None:
    """Add a line. Its password is asked for, unless it is admitted by address."""
    document = {**typed.document(), "number": number, "user": user, "plan": plan, "address": typed.address()}
    if typed.password_stdin or not document.get("sources"):
        document["password"] = typed_password(typed.password_stdin)
    directory, settings = load_config(config)
    entry = entry_of(document)
    rules = line_check.rulebook(directory)
    lines = line_check.lines_of([entry], settings, rules)
    line_check.check(rules, lines)
    run(line_store.write(settings, lines, replace_them=False))
    print(f"added {entry.number} as {entry.user}")


@group.command("set")
@takes_a_line
def set_(
    line: Which,
    typed: Typed,
    config: ConfigOption = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    plan: Annotated[str | None, typer.Option(help="The plan, as the tariff names it.")] = None,
) -> None:
    """Change a line; what is not given stays. A list that is given takes the place of the old one."""
    from switch.provision.state import entered

    changes, address = typed.document(), typed.address()
    if plan is not None:
        changes["plan"] = plan
    directory, settings = load_config(config)
    old = run(line_store.find(settings, line))
    fresh_password = password or typed.password_stdin
    if not address and not fresh_password and _takes_out_of_use(changes):
        enter(settings, line, changes["state"])
        print(f"changed {old.number}")
        return
    document = document_of(old) | changes
    document["address"] = changed_address(document["address"], address)
    if fresh_password:
        document["password"] = typed_password(typed.password_stdin)
    elif old.account.ha1:
        document["password"] = "x" * 16  # for the check only: the digests of the present one stay
    rules = line_check.rulebook(directory)
    (new,) = line_check.lines_of([entry_of(document)], settings, rules)
    if not fresh_password:
        new = replace(new, account=replace(new.account, ha1=old.account.ha1))
    if new.state != old.state:
        new = entered(new, new.state, "", today())
    line_check.check(rules, [new], old)
    run(line_store.write(settings, [new], replace_them=True))
    print(f"changed {new.number}")


def _takes_out_of_use(changes: dict[str, Any]) -> bool:
    """Whether nothing changes but the state, to one in which it may not call: for that, a line need not be
    right otherwise."""
    return changes.keys() == {"state"} and changes["state"] in (
        "restricted",
        "suspended",
        "terminated",
        "quarantine",
    )


@group.command()
def remove(
    line: Which,
    config: ConfigOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also while its number may be ported out, or is in quarantine.")
    ] = False,
) -> None:
    """Remove a line; it cannot register or be called any more. Its records stay."""
    from switch.provision.porting import removal_objections

    _, settings = load_config(config)
    found = run(line_store.find(settings, line))
    objections = removal_objections(found, today(), settings.lines.quarantine_days)
    if not force and (faults := line_check.told(found, objections)):
        fail_with_faults([*faults, "--force removes it all the same"])
    run(line_store.remove(settings, found))
    print(f"removed {found.number}")


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
    rules = line_check.rulebook(directory)
    lines = line_check.lines_of(entries, settings, rules)
    line_check.check(rules, lines)
    run(line_store.write(settings, lines, replace_them=replace))
    print(f"imported {len(entries)} lines")


@group.command()
def show(line: Which, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Everything about one line but its password."""
    _, settings = load_config(config)
    facts = shown(run(line_store.find(settings, line)), today(), settings.lines.quarantine_days)
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
    days = settings.lines.quarantine_days
    rows = [shown(line, today(), days) for line in run(line_store.read(settings))]
    if json:
        print_json(rows)
        return
    from switch.cli.tables import lines_table

    console().print(lines_table(rows))


def shown(line: Line, day: date, quarantine_days: int) -> dict[str, Any]:
    """A line as it may be shown on a day: of its password only whether there is one."""
    from switch.provision.porting import port_out_until, quarantine_until
    from switch.provision.state import state_on

    ended = date.fromisoformat(line.terminated_on) if line.terminated_on and not line.ported else None
    return {
        "user": line.user,
        "numbers": list(line.numbers),
        "plan": line.plan,
        "options": list(line.options),
        "kind": line.kind,
        "state": state_on(line, day),
        "state_reason": line.state_reason,
        "disputed": line.disputed,
        "terminated_on": line.terminated_on,
        "port_out_until": port_out_until(ended).isoformat() if ended else "",
        "quarantine_until": quarantine_until(ended, quarantine_days).isoformat() if ended else "",
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
        "max_calls": line.max_calls,
        "max_contacts": line.max_contacts,
        "password": "set" if line.account.ha1 else "none",
        "algorithms": list(line.account.algorithms),
        "lenient": line.account.lenient,
        "sources": list(line.sources),
        "address": dict(line.address) if line.address else None,
    }
