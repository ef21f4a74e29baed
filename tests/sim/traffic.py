"""Who calls whom, when, and how everybody behaves: all by chance of the seed, in good manners and bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from switch.ports import NS_PER_S
from switch.routing.numbers import normalise
from tests.sim.parties import Party
from tests.sim.talk import Talk
from tests.sim.text import digest_right
from tests.sim.world import NUMBERS, TRUNK_PASSWORD, World

OUTSIDE = (
    "023456789",
    "+32478123456",
    "0033145678901",
    "0033612345678",
    "0033145678902",
    "00385123456789",
    "080012345",
    "+3270245245",
    "090312345",
    "00212661234567",
    "1234",
    "0112",
)
ABROAD = ("0033145678901", "0033145678901", "0033612345678", "00385123456789")
HELP = (
    "sip:112@voice.example",
    "urn:service:sos",
    "sip:+32101@voice.example",
    "sip:100@voice.example",
    "sip:*31*112@voice.example",
    "sip:%2331%23101@voice.example",
)
SENT_ON = (*NUMBERS.values(), "+32478123456", "0033145678901", "00385123456789", "070123456", "112", "1234")
"""Where calls are forwarded, redirected and transferred to, allowed or not."""
CONDITIONS = ("always", "busy", "no-answer", "unreachable")
EXTRAS = (
    ("Require", "unheard-of"),
    ("Session-Expires", "1"),
    ("Accept", "text/plain"),
    ("Resource-Priority", "dsn.flash"),
    ("Geolocation", "<https://location.example/alice>"),
    ("Geolocation", "<cid:nowhere>"),
)
"""What must not stop a call for help, nor be believed (R-EMG-05)."""
STRANGER = "+3225550123"
TIMERS = (
    [("Session-Expires", "90;refresher=uas"), ("Supported", "timer")],
    [("Session-Expires", "90"), ("Supported", "timer")],
    [("Session-Expires", "90"), ("Allow", "INVITE, UPDATE")],
)
"""Who refreshes, and by what."""

BEHIND = (
    ("Diversion", "<sip:+32475999888@x>;reason=no-answer"),
    ("Diversion", "<sip:a%0D%0AX:%20y@x>;counter=9, <sip:@x>, nonsense"),
    ("History-Info", "<sip:+32475999888@x>;index=1, <sip:+3216234567@x;cause=302>;index=1.1"),
    ("Referred-By", "<sip:+32475999888@x>"),
)
"""What an INVITE may say of where it comes from, true or not."""
CODES = ("*31*", "#31#", "*31#")


class Traffic:
    """All parties of a run and the calls between them."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self.phones = [
            world.party("alice"),
            world.party("bob"),
            world.party("bob2", line="bob"),
            world.party("bob3", line="bob"),
            world.party("carol"),
        ]
        self.office = world.party("office")
        self.carriers = [world.party("carrier", number=STRANGER), world.party("reserve", number=STRANGER)]
        self.centres = [world.party("centre1"), world.party("centre2")]
        self.mallory = world.party("mallory", line="alice", password="guess")
        for party in (*self.phones, self.office, *self.carriers):
            party.on_call = self._take_call
        for party in self.centres:
            party.on_call = self._help
        self._over = False
        self._sends_on = random.random() < 0.6
        """Whether anybody forwards, redirects or transfers at all."""

    @property
    def everybody(self) -> list[Party]:
        """Every party that may be in a call."""
        return [*self.phones, self.office, *self.carriers, *self.centres, self.mallory]

    def start(self, calls: int, storm_ms: int) -> None:
        """Register the phones and plan the calls of the storm."""
        for phone in self.phones:
            self._register(phone)
        if self._sends_on:
            self._set_services()
        for _ in range(calls):
            self.world.later(self.random.randint(2000, storm_ms) * NS_PER_S // 1000, self._place_call)
        if self.random.random() < 0.5:
            for _ in range(self.random.randint(2, 6)):
                self.world.later(self.random.randint(8_000, 30_000) * NS_PER_S // 1000, self._call_abroad)
        if self.world.weather.rude:
            for _ in range(self.random.randint(0, 3)):
                self.world.later(self.random.randint(5, storm_ms // 1000) * NS_PER_S, self._drop_dead)

    def _set_services(self) -> None:
        """What the lines have set, as a phone or an operator may have long ago, when other rules held."""
        random, core = self.random, self.world.machine.core
        assert core is not None
        for user in NUMBERS:
            for condition in CONDITIONS:
                if random.random() < 0.2:
                    services = core.services.of(user)
                    core.services.set(
                        user, services.forwarding(condition, normalise(random.choice(SENT_ON)) or "", 8)
                    )
            if random.random() < 0.2:
                core.services.set(user, replace(core.services.of(user), reject_anonymous=True))
        self.world.machine.settle()

    def calm_down(self) -> None:
        """Everybody alive hangs up, as often as it takes."""
        self._over = True
        for party in self.everybody:
            if not party.dead:
                for talk in party.talks:
                    talk.hang_up()

    # --- calls ---------------------------------------------------------------------------------------------

    def _register(self, phone: Party) -> None:
        """Again and again, as phones do; sooner when it did not work."""
        if not phone.dead:
            phone.register()
        self.world.later(
            self.random.randint(20, 40) * NS_PER_S, lambda: None if self._over else self._register(phone)
        )

    def _place_call(self) -> None:
        random = self.random
        rows = [("Privacy", "id")] if random.random() < 0.1 else []
        code = ""
        if self._sends_on:
            rows += [random.choice(BEHIND)] if random.random() < 0.15 else []
            rows += random.choice(TIMERS) if random.random() < 0.15 else []
            code = random.choice(CODES) if random.random() < 0.1 else ""
        kind = random.choices(
            ["inside", "outside", "inbound", "office", "help", "mallory"], [30, 30, 20, 8, 10, 2]
        )[0]
        caller = {
            "inbound": random.choice(self.carriers),
            "office": self.office,
            "mallory": self.mallory,
        }.get(kind, random.choice(self.phones))
        if caller.dead:
            return
        inside = random.choice(list(NUMBERS.values()))
        if kind == "help":
            rows += [row for row in EXTRAS if random.random() < 0.2]
            talk = caller.invite("112", uri=random.choice(HELP), offer=random.random() < 0.9, rows=rows)
        elif kind in ("inside", "inbound") or random.random() < 0.3:
            called = random.choice([inside, "0" + inside[3:], "00" + inside[1:]])
            talk = caller.invite(code + called, offer=random.random() < 0.85, rows=rows)
        else:
            talk = caller.invite(code + random.choice(OUTSIDE), offer=random.random() < 0.85, rows=rows)
        self._live(talk)
        if random.random() < 0.25:
            caller.after(random.randint(0, 6000), talk.cancel)
        if random.random() < 0.9:
            caller.after(45_000, talk.hang_up)

    def _call_abroad(self) -> None:
        """The office has many calls at a time on one bundle and one cap."""
        talk = self.office.invite(self.random.choice(ABROAD))
        self.office.after(self.random.randint(4_000, 40_000), talk.hang_up)

    def _live(self, talk: Talk) -> None:
        """What a party does in a call, whether the call is up by then or not."""
        random, party = self.random, talk.party
        acts: list[Callable[[], None]] = [talk.hold, talk.resume, talk.info, lambda: talk.modify(offer=False)]
        acts += [talk.modify, talk.cancel_modify, talk.press]
        acts += [talk.update, lambda: talk.update("sendonly"), lambda: talk.update("sendrecv")]
        if self._sends_on:
            acts += [lambda: self._transfer(talk)] * 3
        for _ in range(random.choice([0, 0, 0, 1, 2, 4])):
            act = random.choice(acts)
            party.after(random.randint(3000, 25_000), act)
        if random.random() < 0.7:
            party.after(random.choice([4000, 8000, random.randint(1000, 30_000)]), lambda: self._bye(talk))
        if self._rude():
            talk.acks = False
        if self._rude():
            talk.answers_bye = False
        if self._rude():
            talk.answers_info = random.choice([0, 481, 200])
        talk.answers_modify = random.choice([200] * 6 + [488, 491, 500] + ([0, 481] if self._rude() else []))
        talk.modify_ms = random.choice([0, 0, 100, 1500])

    def _transfer(self, talk: Talk) -> None:
        """Blind, or to somebody whom the party is talking to as well."""
        others = [one for one in talk.party.talks if one is not talk and one.up and not one.over]
        replaces = self.random.choice(others) if others and self.random.random() < 0.6 else None
        rows = [("Refer-Sub", "false")] if self.random.random() < 0.1 else []
        talk.refer(self.random.choice(SENT_ON), replaces=replaces, rows=rows)
        if self.random.random() < 0.2:
            talk.bye()

    def _bye(self, talk: Talk) -> None:
        if talk.up and not talk.over:
            talk.bye()

    def _take_call(self, talk: Talk) -> None:
        random, party = self.random, talk.party
        if self._over:
            talk.reject(480)
            return
        assert talk.invite is not None
        if party.name == "reserve":
            credentials = talk.invite.get("Proxy-Authorization")
            if not credentials:
                party.after(5, lambda: talk.challenge("abc"))
                return
            if not digest_right(credentials, "INVITE", *TRUNK_PASSWORD):
                party.faults.append("reserve: wrong credentials")
        self._live(talk)
        fate = random.random()
        if fate < 0.08:
            return
        if random.random() < 0.8:
            early = random.random() < 0.3
            party.after(
                random.choice([5, 100, random.randint(0, 3000)]),
                lambda: talk.ring(183 if early else 180, media=early),
            )
        if fate < 0.3:
            status = random.choice([302, 404, 408, 480, 486, 486, 500, 503, 603])
            where = [("Contact", f"<sip:{random.choice(SENT_ON)}@{party.domain}>")] if status == 302 else []
            party.after(random.randint(5, 5000), lambda: talk.reject(status, where))
            return
        party.after(random.choice([10, 1000, 3000, random.randint(0, 12_000)]), talk.answer)

    def _help(self, talk: Talk) -> None:
        """An emergency centre answers, as a rule; its manners are good."""
        random, party = self.random, talk.party
        fate = random.random()
        if fate < 0.1 and not self._over:
            return
        if fate < 0.25 and not self._over:
            party.after(random.randint(5, 1000), lambda: talk.reject(random.choice([486, 500, 503, 603])))
            return
        party.after(random.randint(5, 1500), lambda: talk.ring(183, media=True))
        party.after(random.randint(1500, 6000), talk.answer)
        party.after(random.randint(10_000, 40_000), talk.hang_up)

    # --- bad manners ---------------------------------------------------------------------------------------

    def _rude(self) -> bool:
        return self.random.randrange(1000) < self.world.weather.rude

    def _drop_dead(self) -> None:
        party = self.random.choice([*self.phones, self.office, *self.carriers])
        party.die()
        self.world.later(self.random.randint(10, 60) * NS_PER_S, party.revive)
