"""What numbers are: every row of sections 4, 5 and 9 of the domain guide, traps included."""

from __future__ import annotations

import pytest

from rating.tariff import TariffBook
from rating.zone import DestinationClass, Destinations, NumberRow


def rows(table: str) -> list[list[str]]:
    """The words of each line of a table."""
    return [line.split() for line in table.split("\n") if line.strip()]


ZONES = (
    "02 03 04 09 010 011 012 013 014 015 016 019 050 051 052 053 054 055 056 057 058 059 060 061 063 064 "
    "065 067 068 069 071 080 081 082 083 084 085 086 087 089"
)
ZONE_A = (
    "BG CY DK DE EE FI FR GR HU IE IT LV LT LU MT NL AT PL PT RO SI SK ES CZ GB SE AD FO GI IS LI MC NO "
    "SM CH US CA"
)
CANADA = (
    "204 226 236 249 250 257 263 273 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468 "
    "474 506 514 519 548 579 581 584 587 604 613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 "
    "867 873 879 902 905 942"
)
ISLANDS = (
    "242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876 787 939 340 671 "
    "670 684"
)
NON_GEOGRAPHIC = (
    "500 521 522 523 524 525 526 527 528 529 532 533 544 566 577 588 600 622 633 700 900 976 800 833 844 "
    "855 866 877 888"
)


def verdict(book: TariffBook, number: str) -> str:
    """The class and price row, or "refused"."""
    destination = book.destinations.classify(number)
    return "refused" if destination is None else f"{destination.cls} {destination.price}"


BELGIUM = """
    +3222345678      BE_FIXED be_fixed       02
    +3231234567      BE_FIXED be_fixed       03
    +3242345678      BE_FIXED be_fixed       04
    +3243345678      BE_FIXED be_fixed       04
    +3291234567      BE_FIXED be_fixed       09
    +3216234567      BE_FIXED be_fixed       016
    +3280212345      BE_FIXED be_fixed       080
    +3280812345      BE_FIXED be_fixed       080
    +32478123456     BE_MOBILE be_mobile     -
    +32456123456     BE_MOBILE be_mobile     -
    +32499123456     BE_MOBILE be_mobile     -
    +3280012345      BE_FREEPHONE free       -
    +3278123456      BE_078 be_fixed         -
    +3270123456      BE_PREMIUM 070          -
    +3290012345      BE_PREMIUM 0900         -
    +3290912345      BE_PREMIUM 0909         -
    1207             BE_SHORT enquiries      -
    1700             BE_SHORT service_17     -
"""


@pytest.mark.parametrize("row", rows(BELGIUM), ids=lambda row: row[0])
def test_belgian_classes(book: TariffBook, row: list[str]) -> None:
    number, cls, price, zone = row
    destination = book.destinations.classify(number)
    assert destination is not None
    assert (destination.cls, destination.price) == (cls, price)
    assert (destination.zone or "-", destination.country, destination.international) == (zone, "BE", False)


def test_forty_zones(book: TariffBook) -> None:
    found = set()
    for code in range(1000):
        destination = book.destinations.classify(f"+32{code:03d}12345".replace("+320", "+32"))
        if destination is not None and destination.cls is DestinationClass.BE_FIXED:
            found.add(destination.zone)
    assert found == set(ZONES.split())
    assert len(found) == 40


@pytest.mark.parametrize(
    "number",
    [
        *(f"+32{code}123456" for code in (17, 18, 62, 66, 72, 73, 74, 75, 76, 77, 79, 88, 40, 41, 44)),
        "+3280112345",  # between freephone 800 and zone 080
        "+3280912345",
        "+3290812345",
        "+322234567",  # too short, too long
        "+32223456789",
        "+3247812345",
        "+324781234567",
        "+32801234",
        "+32441234567",
        "+32",
        "+320222345678",
        "+32112",
    ],
)
def test_unassigned_belgian_numbers_are_refused(book: TariffBook, number: str) -> None:
    assert verdict(book, number) == "refused"


@pytest.mark.parametrize("number", ["112", "100", "101"])
def test_emergency_numbers(book: TariffBook, number: str) -> None:
    assert verdict(book, number) == "EMERGENCY free"


@pytest.mark.parametrize(
    "number",
    [
        *["102", "103", "104", "106", "107", "108", "110", "116000", "1813", "1712"],
        *["+3280032123", "+3226499555", "+3270245245", "+3280030030", "+3280098100"],
    ],
)
def test_free_helplines_in_whatever_range_they_sit(book: TariffBook, number: str) -> None:
    assert verdict(book, number) == "FREE free"


@pytest.mark.parametrize(
    "number",
    ["1123", "1120000", "0112", "00112", "11", "1", "1208", "116001", "1160000", "3270245245", "0270245245"],
)
def test_free_numbers_match_exactly(book: TariffBook, number: str) -> None:
    assert verdict(book, number) == "refused"


def test_the_neighbour_of_a_free_number_is_not_free(book: TariffBook) -> None:
    assert verdict(book, "+3270245246") == "BE_PREMIUM 070"
    assert verdict(book, "+3226499556") == "BE_FIXED be_fixed"


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "++32",
        "32 2",
        "+32223456a8",
        "+3222345678 ",
        "+\u0663\u066222345678",
        "022345678",
        "alice",
        "+0",
    ],
)
def test_what_is_no_number_is_refused(book: TariffBook, number: str) -> None:
    assert verdict(book, number) == "refused"


ABROAD = """
    +35929876543     zone_a          BG    sofia
    +4989123456      zone_a          DE
    +33612345678     zone_a          FR
    +441534123456    international   JE
    +447509123456    international   JE
    +447700312345    international   JE
    +447700712345    international   JE
    +447700812345    international   JE
    +447700112345    zone_a          GB
    +447797123456    international   JE
    +447829123456    international   JE
    +447937123456    international   JE
    +441481123456    international   GG
    +447781123456    international   GG
    +447839123456    international   GG
    +447911123456    international   GG
    +447911723456    international   GG
    +447911223456    zone_a          GB
    +441624123456    international   IM
    +447457612345    international   IM
    +447457512345    zone_a          GB
    +447524123456    international   IM
    +447624123456    international   IM
    +447924123456    international   IM
    +447012345678    refused
    +447612345678    refused
    +443001234567    refused
    +448001234567    refused
    +449012345678    refused
    +33812345678     refused
    +33912345678     zone_a          FR
    +49180512345     refused
    +499001234567    refused
    +4932123456789   zone_a          DE
    +39800123456     refused
    +391991234567    refused
    +34800123456     refused
    +34806123456     refused
    +34901123456     refused
    +445612345678    zone_a          GB
    +31851234567     zone_a          NL
    +31881234567     zone_a          NL
    +41581234567     zone_a          CH
    +46101234567     zone_a          SE
    +358101234567    zone_a          FI
    +35318001234     zone_a          IE    dublin
    +3531800123456   refused               freephone, two digits longer
    +38591234567     international   HR
    +390669812345    international   VA
    +390669912345    zone_a          IT
    +37961234567     international   VA
    +390549123456    zone_a          IT
    +905331234567    morocco_turkey  TR
    +902121234567    zone_a          TR
    +903121234567    zone_a          TR
    +904121234567    zone_a          TR
    +903921234567    international   CY
    +908501234567    morocco_turkey  TR
    +904441234567    refused
    +908001234567    refused
    +909001234567    refused
    +906121234567    refused
    +90212123456     refused               too short
    +212661234567    morocco_turkey  MA
    +212712345678    morocco_turkey  MA
    +212522123456    zone_a          MA
    +212523123456    zone_a          MA
    +212524123456    zone_a          MA
    +212528123456    zone_a          MA
    +212528812345    zone_a          MA    western sahara
    +212528912345    zone_a          MA
    +212535123456    zone_a          MA
    +212536123456    zone_a          MA
    +212537123456    zone_a          MA
    +212539123456    zone_a          MA
    +212520123456    morocco_turkey  MA
    +212521123456    morocco_turkey  MA
    +212525123456    morocco_turkey  MA
    +212526123456    morocco_turkey  MA
    +212529123456    morocco_turkey  MA
    +212530123456    morocco_turkey  MA
    +212531123456    morocco_turkey  MA
    +212532123456    morocco_turkey  MA
    +212534123456    morocco_turkey  MA
    +212538123456    morocco_turkey  MA
    +212540123456    morocco_turkey  MA
    +212891234567    refused
    +12125551234     zone_a          US
    +14165551234     zone_a          CA
    +17875551234     international   PR
    +12111234567     refused               not assigned
    +17101234567     refused
    +1212555123      refused               ten digits
    +590590123456    international   GP
    +594594123456    international   GF
    +596596123456    international   MQ
    +262262123456    international   RE
    +508411234       international   PM
    +687241234       international   NC
    +68940123456     international   PF
    +299321234       international   GL
    +59994123456     international   CW
    +2975821234      international   AW
    +38338123456     international   XK
    +358181234567    zone_a          FI    åland
    +4779021234      zone_a          NO    svalbard
    +34922123456     zone_a          ES    canary islands
    +351291123456    zone_a          PT    madeira
    +80012345678     refused
    +80812345678     refused
    +870773123456    refused
    +878101234567    refused
    +881612345678    refused
    +882161234567    refused
    +883510012345    refused
    +888123456789    refused
    +979123456789    refused
    +821012345678    international   KR
    +99912345678     refused               no such country
    +2105550123      refused
    +33123           refused               too short for any country
    +3312345678901234 refused              16 digits
"""


@pytest.mark.parametrize("row", rows(ABROAD), ids=lambda row: row[0])
def test_numbers_abroad(book: TariffBook, row: list[str]) -> None:
    number, price = row[:2]
    destination = book.destinations.classify(number)
    if price == "refused":
        assert destination is None
    else:
        assert destination is not None
        assert (destination.price, destination.country, destination.international) == (price, row[2], True)


def test_north_america_by_area_code(book: TariffBook) -> None:
    for area in CANADA.split():
        destination = book.destinations.classify(f"+1{area}5550123")
        assert destination is not None
        assert (destination.price, destination.country) == ("zone_a", "CA")
    for area in ISLANDS.split():
        destination = book.destinations.classify(f"+1{area}5550123")
        assert destination is not None
        assert destination.price == "international"
        assert destination.country not in ("US", "CA")
    for area in NON_GEOGRAPHIC.split():
        assert book.destinations.classify(f"+1{area}5550123") is None


def test_zone_a_is_37_countries_and_fixed_lines_of_two(book: TariffBook) -> None:
    found: set[str] = set()
    for prefix in range(100, 10_000):
        for padding in ("1234", "12345", "123456", "1234567", "12345678"):
            destination = book.destinations.classify(f"+{prefix}{padding}")
            if destination is not None and destination.cls is DestinationClass.ZONE_A:
                found.add(destination.country)
    found |= {"MA"} if verdict(book, "+212522123456") == "ZONE_A zone_a" else set()  # a prefix of six digits
    assert found == set(ZONE_A.split()) | {"MA", "TR"}
    assert len(ZONE_A.split()) == 37


def test_exact_rows_come_first_and_refused_rows_hide_shorter_prefixes() -> None:
    country = NumberRow(DestinationClass.INTERNATIONAL, "international", "XX")
    exact = NumberRow(DestinationClass.FREE, "free", "BE")
    refused = NumberRow(DestinationClass.REFUSED, "")
    destinations = Destinations({"+999123456": exact}, {"999": country, "9991": refused})
    assert destinations.classify("+999123456") is not None
    assert destinations.classify("+999123457") is None
    found = destinations.classify("+999223456")
    assert found is not None
    assert found.row is country
    assert len(destinations) == 3
