"""What befalls a message on its way: something put in, taken out, overwritten, repeated or cut off."""

from __future__ import annotations

SPLICES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b";", b",", b":", b"<", b">", b'"', b"\\", b"%", b"=", b"@",
    b"[",
    b"]", b"\xff", "²".encode(), "\u0663".encode(), b"0" * 5000, b"9" * 400, b"-1", b";" * 200, b"," * 200,
    b'"' * 99, b"<" * 99, b"z9hG4bK", b"SIP/2.0", b"urn:service:sos", b"tel:112", b"sip:", b"Via: x\r\n",
    b"To: <sip:c@d>\r\n", b"Content-Length: 99999\r\n", b"Contact: *\r\n", b"Expires: 0\r\n",
    b"Require: x\r\n",
    b"m=audio 9 RTP/AVP 0\r\n", b"c=IN IP6 ::\r\n", b"a=rtcp:000000099999\r\n",
    b"Reason: Q.850;" + b"Q.850;" * 500,
]  # fmt: skip

Accident = tuple[int, int, int, bytes, bytes]
"""Kind, place in thousandths of the message, length, bytes to overwrite with, bytes to put in."""


def after(accidents: list[Accident], data: bytes) -> bytes:
    """A message after these accidents."""
    for kind, place, length, noise, splice in accidents:
        start = len(data) * place // 1000
        end = min(len(data), start + length)
        match kind:
            case 0:
                data = data[:start] + splice + data[start:]
            case 1:
                data = data[:start] + data[end:]
            case 2:
                data = data[:start] + noise + data[end:]
            case 3:
                data = data[:end] + data[start:]
            case _:
                data = data[:start]
    return data
