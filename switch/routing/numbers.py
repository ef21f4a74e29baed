"""What was dialled, as E.164 or as a short code (domain guide section 4): `0` national, `00` and `+`
international.

Emergency numbers and helplines are recognised before this is asked; prices and classes are the rating
package's.
"""

from __future__ import annotations

from switch.malformed import Malformed
from switch.sip.uri import Uri

_SEPARATORS = str.maketrans("", "", "-.()")
COUNTRY = "+32"


def normalise(dialled: str) -> str | None:
    """`+CC...` for a full number, the digits themselves for a Belgian short code of 3 to 6 digits, None for
    anything else.

    E.164 numbers have at most 15 digits; the shortest real ones after a country code have 4.
    """
    digits = dialled.translate(_SEPARATORS)
    if digits[:1] == "+":
        digits = digits[1:]
        if not _all_digits(digits) or digits[:1] == "0":
            return None
        return f"+{digits}" if 5 <= len(digits) <= 15 else None
    if not _all_digits(digits):
        return None
    if digits.startswith("00"):
        return normalise("+" + digits[2:])
    if digits[0] == "0":
        national = digits[1:]
        return f"{COUNTRY}{national}" if 8 <= len(national) <= 9 else None
    return digits if 3 <= len(digits) <= 6 else None


def dialled_digits(uri: Uri) -> str:
    """The digits a Request-URI asks for.

    Raises:
        Malformed: 404 when there is no user part to route by.
    """
    number = uri.number()
    if not number:
        raise Malformed(404, "Not Found")
    return number


def national(e164: str) -> str:
    """The number as a Belgian phone shows it: `016...` for +3216..., `00...` for foreign ones."""
    if e164.startswith(COUNTRY):
        return "0" + e164[len(COUNTRY) :]
    return "00" + e164[1:] if e164.startswith("+") else e164


def _all_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
