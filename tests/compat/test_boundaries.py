"""test_boundaries: where Kelvin, nginx and haproxy see one request end and the next begin, in the same bytes.

Every row of src/http/cases that is a request, and every row of sequences.txt, is sent to all three, followed by one plain request.
What the programs behind them received is compared:

- Whatever Kelvin sends to a program has one reading: programs that read loosely find the same requests in it as strict ones.
- Where Kelvin passes on more requests than both others, or other bodies than either, it is laxer, and that is an error
  unless ALLOWED names the row and says why.
"""
import itertools
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import pytest

from serving import PROGRAMS, REPOSITORY

sys.path[:0] = [str(Path(__file__).resolve().parent), str(PROGRAMS)]

from fronts import make_fronts  # pylint: disable=wrong-import-position
from raw_app import Reading, read_requests  # pylint: disable=wrong-import-position

CASES = REPOSITORY / "src" / "http" / "cases"
LAST = b"GET /last HTTP/1.1\r\n{H}Connection: close\r\n\r\n"
READINGS = [Reading(*chosen) for chosen in itertools.product((False, True), repeat=4)]
ESCAPES = {"e": b"\r\n", "r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
CHUNKED_HEAD = b"POST /chunks HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n"

# Rows in which Kelvin is laxer than both, each with the reason why that is right.
ALLOWED = {}


class Row(NamedTuple):
    name: str
    verdict: str
    data: bytes  # with {H} for a Host field and {h} for a host


def unescape(text):
    return re.sub(rb"\\(?:x(..)|(.))", lambda m: bytes([int(m[1], 16)]) if m[1] else ESCAPES[m[2].decode()], text.encode())


def read_rows(path):
    """The rows of a file in the form of src/http/cases_test.cc."""
    before = after = ""
    for number, line in enumerate(path.read_text(encoding="ascii").split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        first, rest = re.fullmatch(r'("[^"]*"|\S+) (.*)', line).groups()
        if first == "@before":
            before = rest
        elif first == "@after":
            after = rest
        else:
            yield Row(f"{path.name}:{number}: {rest}", first, unescape(before + rest + after))


def body_for(verdict):
    """A body as the verdict on a head has it."""
    if verdict.startswith("chunked"):
        return b"5\r\nhello\r\n0\r\n\r\n"
    length = re.match(r"len=(\d+)", verdict)
    return b"x" * int(length[1]) if length and int(length[1]) < 100 else b""


def all_rows():
    for name in ("request_line", "length", "fields"):
        for row in read_rows(CASES / f"{name}.txt"):
            yield row._replace(data=row.data + body_for(row.verdict))
    for row in read_rows(CASES / "chunks.txt"):
        yield row._replace(data=CHUNKED_HEAD + row.data)
    yield from read_rows(Path(__file__).parent / "sequences.txt")


def send_all(front, rows):
    """{row's name: (reply, [what came on each connection to the program])}"""
    free = SimpleQueue()
    for lane in front.lanes:
        free.put(lane)

    def send(row):
        lane = free.get()
        try:
            host = lane.host.encode()
            return row.name, lane.send((row.data + LAST).replace(b"{H}", b"Host: " + host + b"\r\n").replace(b"{h}", host))
        finally:
            free.put(lane)

    with ThreadPoolExecutor(len(front.lanes)) as pool:
        return dict(pool.map(send, rows))


@pytest.fixture(scope="module")
def outcomes(binary):
    # Not pytest's own folder: nginx and the programs behind Kelvin have users of their own, which must get in.
    folder = Path(tempfile.mkdtemp(prefix="kelvin-test-fronts-"))
    folder.chmod(0o711)
    fronts = make_fronts(folder, binary)
    rows = list(all_rows())
    try:
        for front in fronts:
            front.start()
        with ThreadPoolExecutor(len(fronts)) as pool:
            found = pool.map(lambda front: send_all(front, rows), fronts)
            yield rows, dict(zip((front.name for front in fronts), found))
    finally:
        for front in fronts:
            front.stop()
        shutil.rmtree(folder, ignore_errors=True)


def bodies(outcome):
    """Of all whole requests that a strict program finds, in order."""
    return [body for raw in outcome[1] for _, body in read_requests(raw)[0]]


def is_laxer(kelvin, peers):
    """A shorter list of the same bodies is stricter, whatever it lacks."""
    return not any(peer[:len(kelvin)] == kelvin for peer in peers)


def test_whatever_kelvin_passes_on_has_one_reading(outcomes):
    rows, found = outcomes
    ambiguous = []
    for row in rows:
        for raw in found["kelvin"][row.name][1]:
            readings = [read_requests(raw, reading)[0] for reading in READINGS]
            if len(readings[0]) > 1 or any(reading != readings[0] for reading in readings):
                ambiguous.append((row.name, raw, readings))
    assert ambiguous == []


def test_kelvin_is_never_laxer_than_both_others(outcomes):
    rows, found = outcomes
    laxer = {}
    for row in rows:
        kelvin, *peers = (bodies(found[name][row.name]) for name in ("kelvin", "nginx", "haproxy"))
        if is_laxer(kelvin, peers):
            laxer[row.name] = {"kelvin": kelvin, "nginx": peers[0], "haproxy": peers[1]}
    assert {name: sight for name, sight in laxer.items() if name not in ALLOWED} == {}


def is_as_said(verdict, reply, passed):
    if verdict == "refused":
        return passed == []
    if verdict.startswith("passed="):
        return len(passed) == int(verdict[7:])
    is_refused = re.fullmatch(r"[45]\d\d", verdict)
    return not is_refused or (passed == [] and reply.startswith(b"HTTP/1.1 " + verdict.encode()))


def test_kelvin_refuses_what_the_tables_refuse(outcomes):
    rows, found = outcomes
    others = {}
    for row in rows:
        reply, passed = found["kelvin"][row.name][0], bodies(found["kelvin"][row.name])
        is_h2 = row.data.startswith(b"PRI * HTTP/2.0")
        if not is_h2 and not is_as_said(row.verdict, reply, passed):
            others[row.name] = (row.verdict, passed, reply[:40])
    assert others == {}


def test_what_is_plain_passes_through_all_three(outcomes):
    rows, found = outcomes
    alike = [row.name for row in rows
             if len(bodies(found["kelvin"][row.name])) >= 2 and
             bodies(found["kelvin"][row.name]) == bodies(found["nginx"][row.name]) == bodies(found["haproxy"][row.name])]
    assert len(rows) > 500 and len(alike) > 60, (len(rows), len(alike))
