"""The RTP relay: a process of its own that forwards media between the two sides of a call.

It is a plain epoll loop over non-blocking UDP sockets and a table; it knows no SIP, no SDP and no price,
imports nothing of the rest of the switch, and is told what to do over a socket (`switch.relay.command`). The
core programs the table, the relay forwards. `python -m switch.relay --fd N` starts it.
"""
