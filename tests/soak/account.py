"""account: what became of every request, as the client knows it, held against what the programs wrote down.

A request has one id and ends once:

    answered  a whole 2xx reply with its own id and the right body        received exactly once
    refused   a whole reply that says why not, in the gateway's words     received never
    dropped   never answered because the reply before said "close", or the
              peer's GOAWAY named an earlier stream                       received never
    aborted   the client left before the end                              received at most once
    broken    anything else: a violation

An id that was received and never sent is a violation too.
"""
import collections
from pathlib import Path
from typing import NamedTuple

ANSWERED, REFUSED, DROPPED, ABORTED, BROKEN = "answered", "refused", "dropped", "aborted", "broken"
RECEIPTS_ALLOWED = {ANSWERED: (1, 1), REFUSED: (0, 0), DROPPED: (0, 0), ABORTED: (0, 1), BROKEN: (0, 1)}
# What a gateway that works may say in this load: the app was deleted a moment ago; its queue is full or took too long.
STATUSES_EXPECTED = (404, 429, 503)
EXAMPLES_MAX = 12


class End(NamedTuple):
    what: str
    detail: str = ""


class Account:
    def __init__(self):
        self.open = {}    # id -> (app, kind)
        self.ended = {}   # id -> (app, kind, End)
        self.numbers = collections.Counter()
        self.violations = []
        self.bytes_moved = 0

    def begin(self, client, app, kind):
        self.numbers[client] += 1
        request_id = f"{client}.{self.numbers[client]}"
        self.open[request_id] = (app, kind)
        return request_id

    def end(self, request_id, what, detail=""):
        app, kind = self.open.pop(request_id)
        self.ended[request_id] = (app, kind, End(what, detail))
        if what == BROKEN:
            self.violate(f"{app} {kind} {request_id}: {detail}")

    def refuse(self, request_id, status, code):
        is_expected = status in STATUSES_EXPECTED
        self.end(request_id, REFUSED if is_expected else BROKEN, f"{status} {code}")

    def abort_all(self, request_ids):
        for request_id in request_ids:
            if request_id in self.open:
                self.end(request_id, ABORTED)

    def violate(self, text):
        self.violations.append(text)

    def count(self, what):
        return sum(1 for _, _, end in self.ended.values() if end.what == what)

    def by_detail(self, what):
        return collections.Counter(end.detail for _, _, end in self.ended.values() if end.what == what)

    def by_kind(self):
        """{kind: Counter of what}, for the table."""
        found = collections.defaultdict(collections.Counter)
        for _, kind, end in self.ended.values():
            found[kind][end.what] += 1
        return found

    def judge(self, received):
        """(lost, doubled): counts; each is also a violation. `received`: Counter of ids."""
        lost = doubled = 0
        for request_id, (app, kind) in self.open.items():
            lost += 1
            self.violate(f"{app} {kind} {request_id}: never ended")
        for request_id, (app, kind, end) in self.ended.items():
            least, most = RECEIPTS_ALLOWED[end.what]
            found = received.get(request_id, 0)
            if least <= found <= most:
                continue
            lost += found < least
            doubled += found > most
            self.violate(f"{app} {kind} {request_id}: {end.what} {end.detail}, received {found} times")
        for request_id in received.keys() - self.ended.keys() - self.open.keys():
            doubled += 1
            self.violate(f"{request_id}: received and never sent")
        return lost, doubled


def received_ids(folder):
    """Counter of the ids in every program's record."""
    found = collections.Counter()
    for file in Path(folder).glob("*.txt"):
        found.update(file.read_text(encoding="ascii").split())
    return found
