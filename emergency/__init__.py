"""Emergency calls as pure decisions: what was dialled, which centre answers, who may call back.

Standard library only; no clock, no socket. Numbers, provinces, centres and gateways are data
(`config/emergency`).
"""
