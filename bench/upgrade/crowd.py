"""crowd: clients of several kinds at a steady rate, from one thread of their own. Each notes what it saw.

A request is due at a moment that does not depend on earlier replies, and its time is counted from then: what a client had
to wait before it could even send is part of it.
"""
import asyncio
import os
import threading
import time
from typing import NamedTuple

PATIENCE_S = 60


class Seen(NamedTuple):
    """One request, or one gap between two pieces of a stream."""
    kind: str
    due: float      # time.monotonic()
    took_ms: float
    problem: str    # empty: none


async def read_reply(reader, on_piece=None):
    """(status, closes, body); what is missing raises."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status, closes = int(head.split(" ", 2)[1]), "\r\nconnection: close\r\n" in head
    if "\r\ntransfer-encoding: chunked\r\n" not in head:
        length = int(head.split("\r\ncontent-length: ", 1)[1].split("\r\n", 1)[0])
        return status, closes, await reader.readexactly(length)
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        if on_piece:
            on_piece()
    await reader.readexactly(2)
    return status, closes, body


class Crowd:
    """Runs from the beginning of the block to its end; then no request is left."""

    def __init__(self, port):
        self.port, self.seen = port, []
        self.is_stopping = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_stopping = True
        self.thread.join()

    def between(self, begin, end, kinds=None):
        return [one for one in list(self.seen) if begin <= one.due < end and (kinds is None or one.kind in kinds)]

    async def run(self):
        clients = [self.kept(number, 0.05) for number in range(10)]           # 200 requests a second
        clients += [self.fresh(0.01)]                                         # 100 more, each on a connection of its own
        clients += [self.again("stream", self.stream) for _ in range(4)]
        clients += [self.again("upload", self.upload) for _ in range(2)]
        clients += [self.again("queued", self.queued) for _ in range(3)]      # for one slot: two of them wait
        await asyncio.gather(*clients)

    def note(self, kind, due, problem=""):
        self.seen.append(Seen(kind, due, (time.monotonic() - due) * 1000, problem))

    def head(self, app, path, method="GET", more=""):
        return f"{method} {path} HTTP/1.1\r\nHost: {app}.localhost:{self.port}\r\n{more}\r\n".encode()

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def attempt(self, kind, due, exchange):
        """Whether `exchange` went well; notes it either way."""
        try:
            problem = await asyncio.wait_for(exchange, PATIENCE_S) or ""
        except (OSError, EOFError, ValueError, IndexError, asyncio.TimeoutError) as error:
            problem = repr(error)
        self.note(kind, due, problem)
        return not problem

    async def kept(self, number, interval):
        """One connection, used again for as long as the server keeps it; one that breaks in use is a failure."""
        line = None
        due = time.monotonic() + interval * number / 10
        while not self.is_stopping:
            await asyncio.sleep(max(0, due - time.monotonic()))

            async def ask():
                nonlocal line
                line = line or await self.connect()
                line[1].write(self.head("quick", "/"))
                status, closes, _ = await read_reply(line[0])
                if closes:
                    line[1].close()
                    line = None
                return "" if status == 200 else f"status {status}"

            if not await self.attempt("kept", due, ask()):
                line = None
            due += interval
        if line:
            line[1].close()

    async def fresh(self, interval):
        running = set()
        due = time.monotonic()
        while not self.is_stopping:
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.ensure_future(self.attempt("fresh", due, self.call("quick", "/")))
            running.add(task)
            task.add_done_callback(running.discard)
            due += interval
        await asyncio.gather(*running)

    async def call(self, app, path, on_piece=None, wanted=None):
        reader, writer = await self.connect()
        try:
            writer.write(self.head(app, path))
            status, _, body = await read_reply(reader, on_piece)
        finally:
            writer.close()
        if status != 200:
            return f"status {status}"
        return "" if wanted is None or body == wanted else "the body is not what was sent"

    async def again(self, kind, client):
        while not self.is_stopping:
            await self.attempt(kind, time.monotonic(), client())

    async def stream(self):
        """20 events, 100 ms apart. The time from one to the next is noted too."""
        last = time.monotonic()

        def piece():
            nonlocal last
            self.note("event", last)
            last = time.monotonic()

        wanted = b"".join(b"data: %d\n\n" % number for number in range(20))
        return await self.call("long", "/stream?n=20&gap=100", piece, wanted)

    async def upload(self):
        """2 MiB in 20 pieces, 100 ms apart; the whole of it comes back."""
        piece = os.urandom(100 * 1024)
        reader, writer = await self.connect()
        try:
            writer.write(self.head("long", "/", "POST", f"Content-Length: {20 * len(piece)}\r\n"))
            for _ in range(20):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.1)
            status, _, body = await read_reply(reader)
        finally:
            writer.close()
        return "" if status == 200 and body == 20 * piece else f"status {status}, {len(body)} bytes"

    async def queued(self):
        return await self.call("queue", "/sleep?ms=50")
