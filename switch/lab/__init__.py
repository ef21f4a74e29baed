"""The lab: a whole switch on loopback with a carrier, an emergency centre and a phone to try it with.

Real SIP and RTP on real sockets: a carrier would see the same. Nothing of it runs in service.
"""
