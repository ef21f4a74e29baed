"""belswitch: a SIP back-to-back user agent with registrar, RTP relay and live rating."""
