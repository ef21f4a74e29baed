"""The four transactions of RFC 3261 section 17 as amended by RFC 6026, one class and one file each.

A transaction changes in place: it is given messages and timer calls, and it speaks through its `Endpoint`
(down) and its user (up). States and timers bear the RFC's names. Every transaction ends in TERMINATED,
once.
"""
