"""Emergency calls as pure decisions: what was dialled, which centre answers, what it is told, who calls back.

Standard library only; no clock, no socket. Numbers, provinces, centres and gateways are data
(`config/emergency`).
"""
