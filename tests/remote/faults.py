"""What the proxy does wrong on purpose: the kinds of faults, when each fires, and the counts.

A fault is written as words with commas: `always`, `first` (once for each object), `every=K`, `p=0.1`, and with any of
them `after=BYTES` (where in the body; half of it if not given), `times=N` (no more than so often), `for=SECONDS` (from
the moment it is set) and, for `status`, `code=503`.
"""

import dataclasses
import random
import re
import threading
import time

# What can go wrong with a body, and what each does.
BODY_FAULTS = {
    "cut": "resets the connection within the body",
    "truncate": "closes the connection in good order within the body",
    "flip": "changes one bit of the body",
    "stall": "stops within the body and keeps the connection open",
}
REQUEST_FAULTS = {
    "status": "answers with an error instead of asking the server",
    "whole": "answers a request for a range with status 200 and the whole object",
}
FAULTS = BODY_FAULTS | REQUEST_FAULTS


@dataclasses.dataclass
class Fault:
    """One kind of fault and when it fires."""

    every: int = 1
    probability: float = 1.0
    once_per_object: bool = False
    after: int | None = None
    times: int | None = None
    code: int = 503
    until: float | None = None
    # How many requests it was asked about, and the objects it has met.
    asked: int = 0
    met: set[str] = dataclasses.field(default_factory=set)

    @classmethod
    def parse(cls, text: str) -> "Fault":
        fault = cls()
        for word in text.split(","):
            name, _, value = word.strip().partition("=")
            if name == "first" and not value:
                fault.once_per_object = True
            elif name == "every":
                fault.every = max(1, int(value))
            elif name == "p":
                fault.probability = float(value)
            elif name in ("after", "times", "code"):
                setattr(fault, name, int(value))
            elif name == "for":
                fault.until = time.monotonic() + float(value)
            elif name != "always" or value:
                raise ValueError(f"a fault has no word {word!r}")
        return fault

    def fires(self, target: str, dice: random.Random) -> bool:
        if self.times == 0 or (self.until is not None and time.monotonic() > self.until):
            return False
        self.asked += 1
        if self.asked % self.every or dice.random() >= self.probability:
            return False
        if self.once_per_object:
            if target in self.met:
                return False
            self.met.add(target)
        if self.times is not None:
            self.times -= 1
        return True


class Settings:
    """All that can be changed while the proxy runs. Every method may be called from any thread."""

    def __init__(self, seed: int = 0):
        self.lock = threading.Lock()
        self.dice = random.Random(seed)
        self.delay = 0.0
        self.match = re.compile("")
        self.faults: dict[str, Fault] = {}
        self.limiter = Limiter()
        # Increases when settings change, which ends stalls.
        self.version = 0

    def change(self, values: dict) -> None:
        """Takes new values by the names of the command line; a fault that is None or empty is switched off."""
        with self.lock:
            self.version += 1
            for name, value in values.items():
                if name == "delay_ms":
                    self.delay = float(value) / 1000
                elif name == "bytes_per_second":
                    self.limiter.set(float(value or 0))
                elif name == "match":
                    self.match = re.compile(value)
                elif name == "seed":
                    self.dice = random.Random(value)
                elif name not in FAULTS:
                    raise ValueError(f"there is no setting {name!r}")
                elif value:
                    self.faults[name] = Fault.parse(value)
                else:
                    self.faults.pop(name, None)

    def pick(self, kinds: dict[str, str], target: str) -> tuple[str, Fault] | None:
        """The fault of these kinds that a request for `target` meets, if any."""
        with self.lock:
            if not self.match.search(target):
                return None
            for name in kinds:
                fault = self.faults.get(name)
                if fault and fault.fires(target.partition("?")[0], self.dice):
                    return name, fault
        return None


class Limiter:
    """One rate for all connections together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rate = 0.0
        self.next = 0.0

    def set(self, rate: float) -> None:
        with self.lock:
            self.rate, self.next = rate, 0.0

    def piece(self, most: int) -> int:
        """How much to move at a time: at most a fiftieth of a second's bytes, so that no connection waits long."""
        return most if not self.rate else max(1024, min(most, int(self.rate / 50)))

    def wait(self, size: int) -> None:
        """Sleeps until `size` bytes may have passed."""
        if not self.rate:
            return
        with self.lock:
            now = time.monotonic()
            # What was not used is lost but for a twentieth of a second, or a pause would allow a burst.
            self.next = max(self.next, now - 0.05) + size / self.rate
            pause = self.next - now
        if pause > 0:
            time.sleep(pause)


class Counts:
    """What has passed, for all connections together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self.lock:
            self.numbers = {"connections": 0, "requests": 0, "bytes_down": 0, "bytes_up": 0, "errors": 0}
            self.methods: dict[str, int] = {}
            self.statuses: dict[str, int] = {}
            self.injected: dict[str, int] = {}
            self.ranges = 0
            self.active = self.most_active = 0

    def add(self, name: str, value: int = 1) -> None:
        with self.lock:
            self.numbers[name] += value

    def tally(self, table: str, key: str) -> None:
        with self.lock:
            found = getattr(self, table)
            found[key] = found.get(key, 0) + 1

    def begin(self, method: str, is_range: bool) -> None:
        self.tally("methods", method)
        with self.lock:
            self.numbers["requests"] += 1
            self.ranges += is_range
            self.active += 1
            self.most_active = max(self.active, self.most_active)

    def end(self) -> None:
        with self.lock:
            self.active -= 1

    def report(self) -> dict:
        with self.lock:
            return self.numbers | {
                "ranges": self.ranges,
                "most_at_a_time": self.most_active,
                "methods": dict(self.methods),
                "statuses": dict(self.statuses),
                "faults": dict(self.injected),
            }
