"""The loop: wait for packets, pass each one on, and once a second look for silent calls; while a sound plays
anywhere, keep its beat.

Everything on the way of a packet is written out here, with names bound once, since this is where the relay
spends its time. One packet is read per ready socket and wake-up: reading until a socket is empty costs one
failing call each time, and at telephony's rates there is hardly ever a second packet.
"""

from __future__ import annotations

import select
import socket
import time

from switch.relay.command import Channel
from switch.relay.rtp import HEADER_SIZE
from switch.relay.table import Table

TICK_NS = 1_000_000_000
TICK_S = 1.0
LARGEST_DATAGRAM = 65_536


def run(control: socket.socket) -> None:
    """Relay until the other end of `control` closes."""
    with select.epoll() as epoll:

        def register(sock: socket.socket) -> None:
            epoll.register(sock, select.EPOLLIN)

        table = Table(register)
        channel = Channel(control, table, epoll)
        _loop(epoll, table, channel)


def _loop(epoll: select.epoll, table: Table, channel: Channel) -> None:
    clock, poll = time.monotonic_ns, epoll.poll
    on_line, at_door = table.lines.get, table.doors.get
    playing, strike = table.beat.playing, table.beat.strike
    packet = bytearray(LARGEST_DATAGRAM)
    view = memoryview(packet)
    tick_ns = clock() + TICK_NS
    while True:
        commands = False
        events = poll(strike(clock()) if playing else TICK_S)
        now_ns = clock()
        for descriptor, _ in events:
            port = on_line(descriptor)
            try:
                if port is not None:
                    read = port.read_line
                    size = read(packet)
                else:
                    port = at_door(descriptor)
                    if port is None:
                        commands = True
                        continue
                    size, source = port.door.recvfrom_into(packet)
                    # A party with SRTP is latched onto by its key.
                    size = port.open(packet, size, known=source == port.source)
                    if source != port.source and not table.admit(port, source):
                        continue
            except OSError:  # nothing there after all, an ICMP error of a line, or a packet not the party's
                continue
            # RTP has version 2, and RFC 5761 section 4: the second byte tells RTCP from it.
            if size >= HEADER_SIZE and packet[0] & 0xC0 == 0x80 and packet[1] & 0x60 != 0x40:
                port.reception.receive(packet, size, now_ns)
                way_out = port.rtp_exit
            else:
                way_out = port.count_other(packet, size, now_ns)
            try:
                if way_out is None or (target := way_out.target) is None:
                    port.unroutable += 1
                elif (send := way_out.send_line) is not None:
                    send(view[:size])
                else:
                    way_out.door.sendto(view[:size], target)
            except OSError:
                port.send_errors += 1
        if commands and not channel.receive(now_ns):
            return
        if now_ns >= tick_ns:
            tick_ns = now_ns + TICK_NS
            for session in table.silent(now_ns):
                channel.tell("silent", session)
