"""`belswitch trace`: what was said on the wire about a call and what was decided, on one time line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import (
    ConfigOption,
    JsonOption,
    ask_switch,
    database,
    fail,
    load_config,
    print_json,
    run,
)

if TYPE_CHECKING:
    from switch.config.model import Config

Row = dict[str, Any]

_MEDIA = ("packets", "lost", "jitter_ms", "mos_x100")
"""What is told of a stream; its record has more."""


def trace(
    call: Annotated[str, typer.Argument(help="As `calls --json` or `cdr --json` names it, or a Call-ID.")],
    config: ConfigOption = None,
    json: JsonOption = False,
    ladder: Annotated[bool, typer.Option("--ladder", help="Who says what to whom, in columns.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Every message as it was.")] = False,
    pcap: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the messages for Wireshark.")
    ] = None,
) -> None:
    """What was said on the wire about a call, as long as the running switch remembers it, and what its
    records say. Passwords, keys of media and keys pressed are hidden.
    """
    _, settings = load_config(config)
    records, messages = run(_gather(settings, call))
    if not records and not messages:
        fail(f"nothing is known of a call {call}: `trace.keep_s` and `trace.most_mib` say how much is kept")
    if pcap is not None:
        from switch.cli.pcap import pcap as capture

        pcap.write_bytes(capture(messages))
        print(f"{len(messages)} messages in {pcap}")
    elif json:
        print_json({"records": records, "messages": messages})
    elif ladder:
        print("\n".join(ladder_of(messages)))
    else:
        print("\n".join(time_line(records, messages, full=full)))


async def _gather(settings: Config, call: str) -> tuple[list[Row], list[Row]]:
    async with database(settings) as store:
        records = await store.family(call)
    names = [call, *(record["call_id"] for record in records)]
    return records, await ask_switch(settings, "trace", calls=list(dict.fromkeys(names)))


def time_line(records: list[Row], messages: list[Row], *, full: bool = False) -> list[str]:
    """Messages and what the records say, in the order of time; milliseconds since the first of them."""
    events = [(row["at_ms"], _said(row), row["message"] if full else "") for row in messages]
    events += [(at_ms, text, "") for record in records for at_ms, text in _facts(record)]
    events.sort(key=lambda event: event[0])
    began_ms = events[0][0]
    lines = [f"{_clock(began_ms)} UTC"]
    for at_ms, text, message in events:
        lines.append(f"{at_ms - began_ms:10.1f}  {text}")
        lines += [f"{'':12}| {line}" for line in message.rstrip().splitlines()]
    return lines


def ladder_of(messages: list[Row]) -> list[str]:
    """A column for each party, in the order in which they appear, and the switch at the left."""
    if not messages:
        return []
    parties = list(dict.fromkeys(_peer(row) for row in messages))
    width = max(26, *(len(party) + 2 for party in parties))
    lines = [" " * 12 + "switch".ljust(8) + "".join(party.rjust(width) for party in parties)]
    began_ms = messages[0]["at_ms"]
    for row in messages:
        column = parties.index(_peer(row))
        arm = 8 + width * column + width - 2
        what = f" {_what(row)} "[:arm]
        line = what.center(arm, "-")
        arrow = f"{line}>" if row["sent"] else f"<{line}"
        lines.append(f"{row['at_ms'] - began_ms:10.1f}  {arrow}")
    return lines


def _said(row: Row) -> str:
    way = "to  " if row["sent"] else "from"
    return f"{way} {_peer(row):28} {_what(row)}"


def _peer(row: Row) -> str:
    host, port = row["target"] if row["sent"] else row["source"]
    host = f"[{host}]" if ":" in host else host
    return f"{row['transport']} {host}:{port}"


def _what(row: Row) -> str:
    """The start line in short, with the method that a response answers and whether there is a description."""
    head, _, body = row["message"].partition("\r\n\r\n")
    first, *fields = head.split("\r\n")
    sdp = " (SDP)" if "\nm=" in f"\n{body}" else ""
    if not first.startswith("SIP/2.0 "):
        method, _, rest = first.partition(" ")
        return f"{method} {rest.rpartition(' ')[0]}{sdp}"
    cseq = next((value for value in fields if value.lower().startswith("cseq:")), "")
    return f"{first[8:]} ({cseq.rpartition(' ')[2]}){sdp}"


def _facts(record: Row) -> list[tuple[float, str]]:
    """What a record says, at the times when it was so."""
    who = record["line"] or record["caller"] or "somebody"
    origin = (
        f"{record['origin']}, caused by {record['caused_by']}" if record["caused_by"] else record["origin"]
    )
    called = record["called"] or record["dialled"]
    decided = (
        f"**   {who} calls {called}: {record['verdict']} ({origin}; {record['destination_class'] or '-'})"
    )
    facts: list[tuple[float, str]] = [(record["invited_ms"], decided)]
    if record["ringing_ms"] is not None:
        facts.append((record["ringing_ms"], f"**   it rings{_over(record)}"))
    if record["answered_ms"] is not None:
        facts.append((record["answered_ms"], f"**   answered; plan {record['plan'] or '-'}"))
        for one in record["segments"] or ():
            at_ms = record["answered_ms"] + 1000 * one["start_s"]
            price = f"{one['per_minute'] / 10_000:.4f} EUR/min" if one["per_minute"] else "free"
            facts.append((at_ms, f"**   from here {one['source']}, {price}, {one['seconds']} s"))
    flags = f" [{', '.join(record['flags'])}]" if record["flags"] else ""
    over = f"**   {record['outcome']} {record['status']}, released by {record['released_by']}{flags}"
    if record["answered_ms"] is not None:
        over += f": {record['duration_s']} s, {record['amount'] / 10_000:.4f} EUR"
    facts.append((record["released_ms"], over))
    for stream, sides in (record["media"] or {}).items():
        for side, counts in sides.items():
            words = ", ".join(f"{name} {counts[name]}" for name in _MEDIA if counts.get(name) is not None)
            facts.append((record["released_ms"], f"**   media {stream}, from the {side}: {words}"))
    # A record knows whole milliseconds: what it says comes after the messages of that millisecond.
    return [(at_ms + 0.999, text) for at_ms, text in facts]


def _over(record: Row) -> str:
    return f", over {record['trunk']}" if record["trunk"] else ""


def _clock(at_ms: float) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "milliseconds").partition("+")[0]
