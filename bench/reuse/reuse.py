"""reuse: how many requests go to a replica over a kept connection. Each loop of the gateway keeps its own; sharing them
between loops would pay only where a loop lacks one that another has, so that two loops stand beside one.

Clients keep their connections and pause between requests, so that all of a replica's connections fall idle at times; four of
five requests are short, the others send or fetch 64 KiB. Event streams are a row of their own: the connection that carried
one is never kept.
"""
import asyncio
import random
import re
import time

from measuring import progress, progress_done, row
from serving import Serve, find_binary

CLIENTS = 64
PAUSE_S_MAX = 0.4
ROUND_S = 20
ROUNDS = 6
FRESH_PERCENT_MAX = 1.0  # beyond, sharing between loops is worth its locks
BODY = b"x" * 65536


def short():
    return b"GET / HTTP/1.1\r\nHost: echo.localhost\r\n\r\n"


def upload():
    return b"POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def download():
    return b"GET /bytes?n=%d HTTP/1.1\r\nHost: echo.localhost\r\n\r\n" % len(BODY)


def stream():
    return b"GET /stream?n=3&gap=10 HTTP/1.1\r\nHost: echo.localhost\r\n\r\n"


async def take_reply(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/1.1 200 "), head
    length = re.search(r"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    if length:
        await reader.readexactly(int(length[1]))
    else:
        await reader.readuntil(b"\r\n0\r\n\r\n")


async def client(number, port, kinds, until):
    chance = random.Random(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    while time.monotonic() < until:
        await asyncio.sleep(chance.random() * PAUSE_S_MAX)
        [make] = chance.choices(list(kinds), kinds.values())
        writer.write(make())
        await writer.drain()
        await take_reply(reader)
    writer.close()


async def clients(count, port, kinds, seconds):
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(number, port, kinds, until) for number in range(count)))


def counts(serve):
    text = serve.get("/metrics", {"Authorization": f"Bearer {serve.token}"}).text
    return [int(re.search(rf"^kelvin_gateway_upstream_{name}_total (\d+)", text, re.MULTILINE)[1])
            for name in ("connects", "reuses")]


def fresh_percents(loops, kinds, rounds, seconds):
    """Per round: of 100 requests, those for which a connection was made."""
    serve = Serve(find_binary("release"), options=["--loops", str(loops)])
    try:
        serve.start()
        serve.deploy_echo(scale={"min": 2, "max": 2, "concurrency": CLIENTS}, wait=True)
        found = []
        for number in range(rounds):
            progress(f"reuse: {loops} loops, round {number + 1} of {rounds}")
            before = counts(serve)
            asyncio.run(clients(CLIENTS, serve.port, kinds, seconds))
            connects, reuses = (after - earlier for after, earlier in zip(counts(serve), before))
            found.append(100 * connects / (connects + reuses))
        return found
    finally:
        progress_done()
        serve.destroy()


def measure(is_quick=False):
    rounds, seconds = (2, 3) if is_quick else (ROUNDS, ROUND_S)
    plain = {short: 80, upload: 10, download: 10}
    streams = {**plain, stream: 10}
    one, two = (fresh_percents(loops, plain, rounds, seconds) for loops in (1, 2))
    with_one, with_two = (fresh_percents(loops, streams, rounds, seconds) for loops in (1, 2))
    return [row(f"requests over a fresh connection, {CLIENTS} clients, two loops", two, "%", "one loop", one,
                target=FRESH_PERCENT_MAX),
            row("the same with one event stream in eleven requests", with_two, "%", "one loop", with_one)]
