"""Calls: two legs, what joins them, what they cost and what is recorded. SIP ends in the legs; the call
knows events only."""
