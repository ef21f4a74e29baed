"""What the contract allows a line: numbers, zones, licences, equipment, ports, states (sections 8, 10, 11).

Pure rules over `switch.routing.lines.Line`: no SIP, no sockets, no clock, dates are arguments. What they
object to is data, an `Objection` for each rule, all at once; the command line refuses by it. What a plan
allows is data of the tariff (`rating.licence`), where a zone lies that of `config/numbering/zones.csv`.
"""
