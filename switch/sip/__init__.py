"""SIP without input or output: messages, URIs, transactions, dialogs and digest. It knows no call, price
or socket."""
