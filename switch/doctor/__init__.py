"""What is to be looked at before a switch goes into service, and at any time after (`belswitch doctor`).

Every check is a pure function from facts to findings. The facts are gathered by `switch.net.survey` and
`switch.net.certificate`; nothing here opens a file or a socket, or knows what time it is.
"""
