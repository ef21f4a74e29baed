"""Calls, registrations, records and lines as tables. Prices are euros excluding VAT with four decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from xml.dom.minidom import parseString

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rating.calendar import BRUSSELS
from rating.money import show

_STATE = {"trying": "yellow", "ringing": "yellow", "answered": "green"}
_OUTCOME = {"answered": "green", "refused": "red", "failed": "red", "rejected": "red"}
_LINE_STATE = {"active": "green", "limited": "yellow", "restricted": "yellow"}
_FRAUD = {"alert": "yellow", "block": "red", "suspend": "bold red"}
_BANNED = {"slowed": "yellow", "ignored": "red"}
_ROUTED = {
    "emergency": "an emergency service, answered by a centre",
    "helpline": "a free helpline, over ordinary trunks",
    "test": "a test call, which no centre gets; `emergency test` tells the answer",
    "ordinary": "an ordinary number, no call for help",
}
Row = Mapping[str, Any]


def calls_table(calls: Sequence[Row], *, title: str = "") -> Table:
    """The running calls: price so far and a minute, what is left of the bundle, when the price changes next,
    when the call is cut and why."""
    table = _table(title)
    for name in ("Caller", "Called", "Class", "Trunk", "State"):
        table.add_column(name, no_wrap=True)
    for name in ("Time", "EUR", "EUR/min", "Bundle", "Next change", "Cut at"):
        table.add_column(name, justify="right", no_wrap=True)
    for call in sorted(calls, key=lambda call: (-call["seconds"], call["call_id"])):
        answered = call["state"] == "answered"
        table.add_row(
            call["caller"] or "anonymous",
            call["called"],
            Text("emergency", "bold red") if call["emergency"] else call["class"] or "incoming",
            call["trunk"] or "-",
            Text(_state(call), _STATE.get(call["state"], "")),
            clock(call["seconds"]) if answered else "",
            Text(show(call["amount"]), "bold") if answered else "",
            per_minute(call) if answered else "",
            clock(call["bundle_left_s"]),
            clock(call["next_change_s"]),
            f"{clock(call['cut_s'])} {call['cut_reason']}".strip(),
        )
    return table


def _state(call: Row) -> str:
    """How far a call is, and what it came from where nobody dialled it."""
    origin = call.get("origin", "line")
    return call["state"] if origin in ("line", "trunk") else f"{call['state']}, {origin}"


def records_table(records: Sequence[Row], *, title: str = "") -> Table:
    """Records, as they come (newest first)."""
    table = _table(title)
    for name in ("Invited", "Caller", "Called", "Class", "Outcome"):
        table.add_column(name, no_wrap=True)
    for name in ("Time", "PDD", "EUR", "MOS"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Flags", overflow="fold")
    for record in records:
        answered = record["answered_ms"] is not None
        delay_ms = record["post_dial_delay_ms"]
        table.add_row(
            local_time(record["invited_ms"]),
            record["caller"] or "anonymous",
            record["called"] or record["dialled"],
            Text("emergency", "bold red")
            if record["emergency"]
            else record["destination_class"] or "incoming",
            outcome(record),
            clock(record["duration_s"]) if answered else "",
            f"{delay_ms} ms" if delay_ms is not None else "",
            show(record["amount"]) if answered else "",
            mos(record),
            " ".join(record["flags"] or ()),
        )
    return table


def registrations_table(bindings: Sequence[Row]) -> Table:
    """Where every line can be reached."""
    table = _table("")
    for name in ("Line", "User", "From", "Device", "Contact"):
        table.add_column(name, no_wrap=name != "Contact", overflow="fold")
    table.add_column("Expires in", justify="right", no_wrap=True)
    for binding in bindings:
        cells = (str(binding[name] or "-") for name in ("line", "user", "from", "device", "contact"))
        table.add_row(*cells, clock(binding["expires_s"]))
    return table


def services_table(rows: Iterable[Row]) -> Table:
    """What subscribers have set for their lines."""
    table = _table("")
    for name in ("Line", "Always", "Busy", "No answer", "After", "Unreachable", "Anonymous"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            row["line"],
            row["always"] or "-",
            row["busy"] or "-",
            row["no_answer"] or "-",
            f"{row['ring_s']} s" if row["no_answer"] else "",
            row["unreachable"] or "-",
            "refused" if row["reject_anonymous"] else "",
        )
    return table


def marked_table(rows: Iterable[Row]) -> Table:
    """Calls that were marked as malicious, with the true number."""
    table = _table("")
    for name in ("Came", "Line", "From", "Withheld", "Trunk", "Marked", "Call"):
        table.add_column(name, no_wrap=name != "Call", overflow="fold")
    for row in rows:
        table.add_row(
            local_time(row["call_at_ms"]),
            row["line"],
            row["number"] or "not told",
            "yes" if row["withheld"] else "",
            row["trunk"] or "-",
            local_time(row["at_ms"]),
            row["call_id"],
        )
    return table


def bans_table(bans: Sequence[Row]) -> Table:
    """Who is slowed or ignored; without a user it is the source as a whole."""
    table = _table("")
    for name in ("Source", "User", "State", "Points", "Since", "Last seen", "Why"):
        justify: Literal["left", "right"] = "right" if name == "Points" else "left"
        table.add_column(name, no_wrap=name != "User", overflow="fold", justify=justify)
    for ban in bans:
        table.add_row(
            ban["source"],
            escape(ban["user"]) or "-",
            Text(ban["state"], _BANNED.get(ban["state"], "")),
            f"{ban['points']:.1f}",
            local_time(ban["since_ms"]),
            local_time(ban["seen_ms"]),
            ban["why"],
        )
    return table


def lines_table(lines: Iterable[Row]) -> Table:
    """Every line on a row; `belswitch line show` tells all of one."""
    table = _table("")
    for name in ("Number", "User", "Kind", "Plan", "Options", "State", "Where"):
        table.add_column(name, no_wrap=name in ("Number", "User", "Kind", "Plan", "State"))
    for line in lines:
        more = len(line["numbers"]) - 1
        address = line["address"] or {}
        table.add_row(
            line["numbers"][0] + (f" (+{more})" if more else ""),
            line["user"],
            line["kind"],
            line["plan"],
            ", ".join(line["options"]),
            Text(line["state"], _LINE_STATE.get(line["state"], "red")),
            f"{address.get('postcode', '')} {address.get('municipality', '')}",
        )
    return table


def rate_report(answer: Row) -> Group:
    """What a call would cost: its segments, then what they come to."""
    if "refused" in answer:
        return Group(facts_table({"refused": answer["refused"], "number": answer["number"]}))
    table = _table("")
    for name in ("From", "Seconds", "EUR/min"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("Paid by", "Period", "Month", "Tariff"):
        table.add_column(name, no_wrap=True)
    for segment in answer["segments"]:
        table.add_row(
            clock(segment["start"]),
            str(segment["seconds"]),
            segment["per_minute"],
            *(segment[key] for key in ("source", "period", "month", "tariff")),
        )
    facts = {
        "number": f"{answer['number']} ({answer['zone']}, price row {answer['row']})",
        "charge": f"{answer['charge']} EUR, of it {answer['setup']} set-up",
        "bundle": f"{answer['bundle_used_s']} s used",
        "may last": clock(answer["allowed_s"]) or "without limit",
    }
    return Group(table, facts_table(facts))


def tariffs_table(rows: Sequence[Row]) -> Table:
    """Every version of the tariff, a plan on a row."""
    table = _table("")
    for name in ("Version", "From", "Plan"):
        table.add_column(name, no_wrap=True)
    for name in ("EUR/month", "Bundle"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Options", overflow="fold")
    for row in rows:
        for name, plan in row["plans"].items():
            table.add_row(
                row["version"],
                row["valid_from"],
                name,
                show(plan["monthly"] + plan["pack_monthly"]),
                clock(plan["bundle_s"] or None),
                ", ".join(plan["options"]),
            )
    return table


def usage_table(rows: Sequence[Row]) -> Table:
    """What each line has used in a month."""
    table = _table("")
    for name in ("Line", "Plan"):
        table.add_column(name, no_wrap=True)
    for name in ("Talked", "Bundle used", "Bundle left", "EUR", "Cap, net"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Told", overflow="fold")
    for row in rows:
        table.add_row(
            row["line"],
            row["plan"],
            clock(row["seconds"]),
            clock(row["bundle_used_s"]) if row["bundle_s"] else "",
            clock(row["bundle_left_s"]) if row["bundle_s"] else "",
            show(row["charged"]),
            show(row["cap"]) if row["cap"] is not None else "none",
            " ".join(row["told"]),
        )
    return table


def emergency_report(answer: Row) -> Group:
    """Where a call for help goes: the facts, then the documents, broken into lines for reading."""
    facts = {
        "line": f"{answer['number']} ({answer['line']}, {answer['state']})",
        "dialled": f"{answer['dialled']}: {_ROUTED[answer['class']]}",
    }
    if "service" in answer:
        facts["service"] = f"{answer['service']}, {answer['label']}, {answer['urn']}"
    if "centre" not in answer:
        return Group(facts_table(facts))
    facts["centre"] = f"{answer['centre']['name']} ({answer['centre']['id']})"
    facts["why"] = answer["reason"]
    facts["alarm"] = answer["alarm"] or "none"
    for at, gateway in enumerate(answer["gateways"], 1):
        without = "" if gateway["documents"] else ", without documents"
        facts[f"gateway {at}"] = (
            f"{gateway['id']} at {gateway['host']} port {gateway['port']}: {gateway['request_uri']}{without}"
        )
    documents = [Text(f"\n{_legible(document)}") for document in answer["locations"]]
    return Group(facts_table(facts), *documents)


def help_table(calls: Iterable[Row]) -> Table:
    """Calls for help, as they come, with the gateways that were tried."""
    table = _table("")
    for name in ("At", "Caller", "Dialled", "Centre", "Outcome"):
        table.add_column(name, no_wrap=True)
    table.add_column("Answered", justify="right", no_wrap=True)
    table.add_column("Gateways", overflow="fold")
    for call in calls:
        tried = ", ".join(f"{one['gateway']} {one['status'] or '-'}" for one in call["attempts"])
        answered_ms = call["answered_ms"]
        table.add_row(
            local_time(call["at_ms"]),
            call["number"] or "unknown",
            call["service"],
            Text(call["centre"] + (f" ({call['alarm']})" if call["alarm"] else "")),
            call["outcome"],
            f"{answered_ms} ms" if answered_ms is not None else "",
            Text(tried),
        )
    return table


def findings_table(findings: Iterable[Row]) -> Table:
    """Lines whose call for help needs looking at, those without a route first."""
    table = _table("")
    for name in ("Number", "User", "State", "Route", "Alarm"):
        table.add_column(name, no_wrap=True)
    table.add_column("Why", overflow="fold")
    for finding in sorted(findings, key=lambda finding: bool(finding["routed"])):
        table.add_row(
            finding["number"],
            finding["user"],
            Text(finding["state"], _LINE_STATE.get(finding["state"], "red")),
            Text("own centre", "green") if finding["routed"] else Text("none", "bold red"),
            " ".join(finding["alarms"]),
            Text("; ".join(finding["reasons"])),
        )
    return table


def fraud_report(measures: Sequence[Row], findings: Iterable[Row]) -> Group:
    """What is in force against lines, then what was found, newest first."""
    in_force = _fraud_table(f"in force: {len(measures)}")
    for measure in measures:
        in_force.add_row(*_fraud_row(measure))
    found = _fraud_table("found")
    found.add_column("Lifted", no_wrap=True)
    for finding in findings:
        lifted_ms = finding["lifted_ms"]
        lifted = f"{local_time(lifted_ms)} by {finding['lifted_by']}" if lifted_ms is not None else ""
        found.add_row(*_fraud_row(finding), Text(lifted))
    return Group(in_force, found)


def _fraud_table(title: str) -> Table:
    table = _table(title)
    for name in ("At", "Line", "Action", "Rule"):
        table.add_column(name, no_wrap=True)
    table.add_column("Facts", overflow="fold")
    return table


def _fraud_row(row: Row) -> tuple[str | Text, ...]:
    facts = ", ".join(f"{name} {value}" for name, value in row["facts"].items())
    action = Text(row["action"], _FRAUD.get(row["action"], ""))
    return local_time(row["at_ms"]), row["line"], action, row["rule"], Text(facts)


def addresses_table(rows: Iterable[Row]) -> Table:
    """Addresses with faults, a fault a line."""
    table = _table("")
    table.add_column("Row", justify="right", no_wrap=True)
    for name in ("Line", "Province"):
        table.add_column(name, no_wrap=True)
    table.add_column("Fault", overflow="fold")
    for row in rows:
        for fault in row["faults"]:
            table.add_row(str(row["row"]), Text(row["line"]), row["province"] or "none", Text(fault))
    return table


def facts_table(facts: Row) -> Table:
    """One thing: names on the left, values on the right."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(str(value)))
    return table


def outcome(record: Row) -> Text:
    """How an attempt ended, with the SIP status or the reason of a refusal where it says more."""
    detail = ""
    if record["outcome"] == "refused":
        detail = f" {record['status']} {record['verdict']}"
    elif record["outcome"] != "answered":
        detail = f" {record['status']}"
    return Text(record["outcome"] + detail, _OUTCOME.get(record["outcome"], "yellow"))


def _legible(document: str) -> str:
    """An XML document, an element a line."""
    lines = parseString(document).toprettyxml(indent="  ").splitlines()
    return "\n".join(line for line in lines[1:] if line.strip())


def per_minute(call: Row) -> str:
    """What a minute costs now, or who pays for it."""
    return show(call["per_minute"]) if call["source"] == "tariff" else call["source"]


def mos(record: Row) -> str:
    """The worse of the two sides' listening quality, over all media; '' where nothing was measured."""
    sides = [side for stream in (record["media"] or {}).values() for side in stream.values()]
    marks = [side["mos_x100"] for side in sides if side.get("mos_x100") is not None]
    return f"{min(marks) // 100}.{min(marks) % 100:02d}" if marks else ""


def clock(seconds: int | None) -> str:
    """A time span, `1:02:03` or `2:03`; '' for None."""
    if seconds is None:
        return ""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def local_time(utc_ms: int) -> str:
    """An instant in Belgian time, to the second."""
    return datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(BRUSSELS).strftime("%Y-%m-%d %H:%M:%S")


def _table(title: str) -> Table:
    return Table(
        box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False
    )
