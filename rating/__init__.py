"""Pricing of calls as pure values: money, number classes, calendar, tariffs, quotes, ledger and charges.

Nothing here reads a clock, draws chance or touches a socket. `rating.loader.load` turns `config/tariffs`
and `config/numbering` into one frozen `TariffBook`; from there a call goes `classify -> quote -> reserve
-> begin -> settle -> Charge`, its `Meter` granted second by second by the `Account` of its line.
"""

from __future__ import annotations
