"""`belswitch explain`: the whole decision about a call, without placing one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import (
    FAILED,
    MISUSED,
    ConfigOption,
    JsonOption,
    config_directory,
    console,
    database,
    fail,
    fail_with_faults,
    load_config,
    print_json,
    run,
)

if TYPE_CHECKING:
    from switch.core import Switch
    from switch.routing.lines import Line

ORIGINS = ("dialled", "forward", "redirect", "transfer", "voicemail", "callback")
LineOption = Annotated[str, typer.Option("--line", metavar="LINE", help="Its user, or one of its numbers.")]


def explain(
    line: LineOption,
    dial: Annotated[str, typer.Option(metavar="DIGITS", help="What is dialled: a number, 112, a URI.")],
    origin: Annotated[
        str, typer.Option(metavar="|".join(ORIGINS), help="How the call comes about.")
    ] = "dialled",
    at: Annotated[
        str | None, typer.Option(metavar="LOCAL-TIME", help="2026-11-24T15:59:30; now when left out.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What would become of a call: whether it is allowed and why, its way, its price, how long it may last.

    The answer is that of the switch itself, with the lines, balances and registrations in the database; calls
    that are running are not looked at. In JSON amounts are ten-thousandths of a euro. Exit code 1: refused.
    """
    if origin not in ORIGINS:
        fail(f"--origin must be one of {', '.join(ORIGINS)}, not {origin}", MISUSED)
    facts = run(_explain(config, line, dial, origin, _instant(at)))
    if json:
        print_json(facts)
    else:
        from switch.cli.tables import facts_table

        console().print(facts_table(_in_words(facts)))
    if facts["decision"] == "refused":
        raise typer.Exit(FAILED)


async def _explain(
    config: Path | None, line: str, dial: str, origin: str, wall_ns: int | None
) -> dict[str, Any]:
    from switch.call.explain import explain as explained
    from switch.call.policy import Origin

    core = await _scratch(config, wall_ns)
    found = _line(core, line)
    return explained(core.gate, core.charging, found, dial, Origin(origin), core.timers.now)


async def _scratch(config: Path | None, wall_ns: int | None) -> Switch:
    from switch import configuration
    from switch.net.scratch import scratch

    _, settings = load_config(config)
    loaded, faults = configuration.load(config_directory(config))
    if loaded is None:
        fail_with_faults(faults)
    async with database(settings) as store:
        return await scratch(loaded, store, wall_ns)


def _line(core: Switch, name: str) -> Line:
    found = core.lines.by_user.get(name) or core.lines.by_number.get(name)
    if found is None:
        fail(f"there is no line {name}")
    return found


def _instant(text: str | None) -> int | None:
    from switch.cli.rate import Unclear, instant_ns

    try:
        return None if text is None else instant_ns(text)
    except Unclear as error:
        fail(str(error), MISUSED)


def _in_words(facts: dict[str, Any]) -> dict[str, Any]:
    """The same facts for people: amounts as euros, lists as text, nothing that is empty."""
    from rating.money import show
    from switch.cli.tables import clock

    words = {key: value for key, value in facts.items() if value not in ("", None, [])}
    if "attempts" in words:
        words["attempts"] = ", then ".join(" and ".join(stage) for stage in facts["attempts"])
    if price := words.pop("price", None):
        words["price"] = f"{show(price['per_minute'])} a minute ({price['source']})"
        words["set-up fee"] = show(price["setup"])
        words["tariff"] = price["tariff"]
        if price["bundle_left_s"] is not None:
            words["bundle left"] = clock(price["bundle_left_s"])
        if price["next_change_s"] is not None:
            words["price changes after"] = clock(price["next_change_s"])
    if "allowed_s" in words:
        words["allowed"] = f"{clock(words.pop('allowed_s'))} ({words.pop('cut')})"
    return words
