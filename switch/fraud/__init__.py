"""Patterns of fraud per line, and what is done about them (domain guide section 12; R-SUS-04).

`rules` and `loader` are the data, `windows` and `seen` what is remembered of a line, `watch` turns facts into
findings, `measures` says what a line may still do. Nothing here knows SIP, a socket or a clock; which facts
there are, and what a finding sets in motion, is `switch.call.fraud_desk`'s.
"""
