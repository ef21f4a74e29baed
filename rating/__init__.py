"""Pricing of calls as pure values: money, number classes, calendar, tariffs, charges, quotes and meters.

Nothing here reads a clock, draws chance or touches a socket. `rating.loader.load` turns `config/tariffs`
and `config/numbering` into one frozen `TariffBook`; from there a call goes `classify -> quote -> Meter ->
Charge`.
"""

from __future__ import annotations
