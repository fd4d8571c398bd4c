"""load: what clients do. Each client draws one scenario after another; any of them may be cut off at a random moment,
by FIN or by RST.
"""
import asyncio
import random
import zlib

import account as ends
from http1 import Broken, Connection, problem_code, request_head
from http2 import Dropped, H2Connection

SCENARIO_SECONDS_MAX = 150  # more than a full queue's longest wait and the longest stream
CUT_CHANCE = 0.12
CUT_SECONDS_MEAN = 0.4
KIB = 1024
APPS = {"steady": 10, "parky": 4, "tight": 2, "chilly": 1}
SCENARIOS = {"short": 22, "pipelined": 12, "upload": 8, "stream": 9, "download": 6, "slow_reader": 2, "slow_writer": 3,
             "tunnel": 8, "http2": 14, "cold": 5, "malformed": 2}
MALFORMED = [b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n", b"nonsense\r\n\r\n",
             b"POST / HTTP/1.1\r\nHost: steady.localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
TUNNEL_FIELDS = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


class Client:
    """One of the clients: at most one scenario, and one connection, at a time."""

    def __init__(self, number, door, account, options):
        self.name, self.door, self.account = f"c{number}", door, account
        self.chance = random.Random(f"{options.seed}/{number}")
        self.weights = {name: SCENARIOS[name] for name in options.only or SCENARIOS}
        self.connection = None
        self.mine = []  # ids of this scenario

    async def run(self, until):
        while not until.is_set():
            [scenario] = self.chance.choices(list(self.weights), self.weights.values())
            await self.play(scenario)
            if self.chance.random() < 0.2:
                await asyncio.sleep(self.chance.random() * 0.3)

    async def play(self, scenario):
        is_cut = self.chance.random() < CUT_CHANCE
        seconds = self.chance.expovariate(1 / CUT_SECONDS_MEAN) if is_cut else SCENARIO_SECONDS_MAX
        self.mine, with_reset = [], False
        try:
            await asyncio.wait_for(getattr(self, scenario)(), seconds)
        except asyncio.TimeoutError:
            with_reset = self.chance.random() < 0.5
            if is_cut:
                self.account.abort_all(self.mine)
            else:
                self.account.violate(f"{self.name} {scenario}: no end within {seconds} s; {self.connection}")
        except (Broken, Dropped, OSError, ValueError, asyncio.IncompleteReadError) as problem:
            self.break_all(repr(problem))
            if not self.mine:
                self.account.violate(f"{self.name} {scenario}: {problem!r}")
        finally:
            if self.connection:
                self.connection.close(with_reset)
                self.connection = None
        self.break_all("the scenario ended without it")

    def break_all(self, detail):
        for request_id in self.mine:
            if request_id in self.account.open:
                self.account.end(request_id, ends.BROKEN, detail)

    # --- pieces -----------------------------------------------------------------------------------------------------

    def begin(self, app, kind):
        request_id = self.account.begin(self.name, app, kind)
        self.mine.append(request_id)
        return request_id

    def draw_app(self):
        [app] = self.chance.choices(list(APPS), APPS.values())
        return app

    async def open(self, receive_buffer=0):
        self.connection = await Connection.open(self.door, receive_buffer)
        return self.connection

    async def is_accepted(self, request_id, head, read_body):
        """False: it was refused, and that has been noted."""
        if head.status < 300:
            if head.soak_id != request_id:
                raise Broken(f"{request_id} got the reply of {head.soak_id}")
            return True
        body = await read_body()
        if head.soak_id:
            raise Broken(f"the program answered {head.status} to {request_id}")
        self.account.refuse(request_id, head.status, problem_code(body) if body else "")
        return False

    async def take_reply(self, request_id, expected, method="GET", pace=None):
        """Reads one reply; `expected`: its body, a check of it, or None for the id. Returns its head."""
        head = await self.connection.read_final_head()
        if await self.is_accepted(request_id, head, lambda: self.connection.read_body(head, method)):
            body = await self.connection.read_body(head, method, pace)
            self.judge_body(request_id, b"" if method == "HEAD" else body, expected)
        return head

    def judge_body(self, request_id, body, expected):
        self.account.bytes_moved += len(body)
        is_right = expected(body) if callable(expected) else body == expected
        if not is_right:
            raise Broken(f"{request_id}: {len(body)} wrong bytes: {body[:60]!r}")
        self.account.end(request_id, ends.ANSWERED)

    async def read_slowly(self):
        await asyncio.sleep(self.chance.random() * 0.06)

    def draw_short(self, app, kind):
        """(id, head, method, body expected) of a small request."""
        request_id = self.begin(app, kind)
        draw = self.chance.random()
        if draw < 0.1:
            return request_id, request_head(app, f"/short/{request_id}", "HEAD"), "HEAD", b""
        if draw < 0.25:
            size = self.chance.randrange(1, 64 * KIB)
            return request_id, request_head(app, f"/bytes/{request_id}?n={size}"), "GET", b"x" * size
        if draw < 0.4:
            body = self.chance.randbytes(self.chance.randrange(0, 4 * KIB))
            head = request_head(app, f"/upload/{request_id}", "POST", f"Content-Length: {len(body)}\r\n")
            return request_id, head + body, "POST", f"{len(body)} {zlib.crc32(body)}".encode()
        if draw < 0.5:
            path = f"/sleep/{request_id}?ms={self.chance.randrange(200)}"
            return request_id, request_head(app, path), "GET", request_id.encode()
        return request_id, request_head(app, f"/short/{request_id}"), "GET", request_id.encode()

    def event_check(self, request_id, count):
        wanted = b"".join(b"data: %s %d\n\n" % (request_id.encode(), number) for number in range(count))
        return lambda body: body == wanted

    # --- scenarios --------------------------------------------------------------------------------------------------

    async def short(self):
        """Requests one after another on one connection."""
        connection = await self.open()
        app = self.draw_app()
        for _ in range(self.chance.randrange(1, 20)):
            request_id, data, method, expected = self.draw_short(app, "short")
            await connection.send(data)
            if (await self.take_reply(request_id, expected, method)).closes:
                return

    async def pipelined(self):
        """Several requests in one write, to several apps; the replies come in order."""
        connection = await self.open()
        drawn = [self.draw_short(self.draw_app(), "pipelined") for _ in range(self.chance.randrange(2, 12))]
        await connection.send(b"".join(data for _, data, _, _ in drawn))
        for place, (request_id, _, method, expected) in enumerate(drawn):
            if (await self.take_reply(request_id, expected, method)).closes:
                for later, *_ in drawn[place + 1:]:
                    self.account.end(later, ends.DROPPED)
                return

    async def upload(self, pause=0.0):
        """A body of up to several MiB, with a length or in chunks, now and then after a 100 Continue."""
        connection = await self.open()
        app = self.draw_app() if self.chance.random() < 0.4 else "steady"
        request_id = self.begin(app, "upload")
        blocks = [self.chance.randbytes(64 * KIB)] * (self.chance.randrange(1, 96) if not pause else self.chance.randrange(1, 12))
        is_chunked, expects = self.chance.random() < 0.5, self.chance.random() < 0.2
        fields = "Transfer-Encoding: chunked\r\n" if is_chunked else f"Content-Length: {sum(map(len, blocks))}\r\n"
        await connection.send(request_head(app, f"/upload/{request_id}", "POST",
                                           fields + ("Expect: 100-continue\r\n" if expects else "")))
        head = await connection.read_head() if expects else None
        if head is None or head.status == 100:
            sending = asyncio.ensure_future(self.send_blocks(connection, blocks, is_chunked, pause))
            try:
                head = await connection.read_final_head()
            finally:
                sending.cancel()
        checksum = 0
        for block in blocks:
            checksum = zlib.crc32(block, checksum)
        if await self.is_accepted(request_id, head, lambda: connection.read_body(head)):
            self.judge_body(request_id, await connection.read_body(head), f"{sum(map(len, blocks))} {checksum}".encode())
            self.account.bytes_moved += sum(map(len, blocks))

    async def send_blocks(self, connection, blocks, is_chunked, pause):
        """A refusal may come, and the connection end, while this sends: whoever reads the reply tells what happened."""
        try:
            for block in blocks:
                await connection.send(b"%x\r\n%s\r\n" % (len(block), block) if is_chunked else block)
                if pause:
                    await asyncio.sleep(self.chance.random() * pause)
            if is_chunked:
                await connection.send(b"0\r\n\r\n")
        except OSError:
            pass

    async def slow_writer(self):
        await self.upload(pause=0.2)

    async def stream(self):
        """Server-sent events."""
        connection = await self.open()
        app, count = self.draw_app(), self.chance.randrange(1, 60)
        request_id = self.begin(app, "stream")
        await connection.send(request_head(app, f"/stream/{request_id}?n={count}&gap={self.chance.randrange(1, 60)}"))
        await self.take_reply(request_id, self.event_check(request_id, count))

    async def download(self, receive_buffer=0):
        connection = await self.open(receive_buffer)
        app, size = self.draw_app(), self.chance.randrange(64 * KIB, (1024 if receive_buffer else 4096) * KIB)
        request_id = self.begin(app, "slow reader" if receive_buffer else "download")
        await connection.send(request_head(app, f"/bytes/{request_id}?n={size}"))
        await self.take_reply(request_id, lambda body: len(body) == size and body.count(b"x") == size,
                              pace=self.read_slowly if receive_buffer else None)

    async def slow_reader(self):
        await self.download(receive_buffer=8 * KIB)

    async def tunnel(self):
        """An upgraded connection, ended by either side, or half by this one first."""
        connection = await self.open()
        app = self.draw_app()
        request_id = self.begin(app, "tunnel")
        await connection.send(request_head(app, f"/tunnel/{request_id}", fields=TUNNEL_FIELDS))
        head = await connection.read_head()
        if not await self.is_accepted(request_id, head, lambda: connection.read_body(head)):
            return
        if head.status != 101:
            raise Broken(f"{head.status} to an upgrade")
        for _ in range(self.chance.randrange(1, 20)):
            message = self.chance.randbytes(self.chance.randrange(1, 32 * KIB)).replace(b"\0", b"x")
            await connection.send(message)
            if await connection.reader.readexactly(len(message)) != message:
                raise Broken("a tunnel changed its bytes")
            await asyncio.sleep(self.chance.random() * 0.05)
        # Python's TLS cannot close one way alone.
        last = b"\0" if self.chance.random() < 0.5 or not connection.writer.can_write_eof() else b"last"
        await connection.send(last)
        if last == b"last":
            connection.writer.write_eof()
        if await connection.reader.read(-1) != last:
            raise Broken("a tunnel lost its last bytes")
        self.account.end(request_id, ends.ANSWERED)

    async def cold(self):
        """A request that waits for a start or a wake, or is refused by a full queue."""
        connection = await self.open()
        app = self.chance.choice(["parky", "chilly", "chilly", "tight"])
        request_id = self.begin(app, "cold")
        await connection.send(request_head(app, f"/sleep/{request_id}?ms={self.chance.randrange(400)}"))
        await self.take_reply(request_id, request_id.encode())

    async def malformed(self):
        connection = await self.open()
        await connection.send(self.chance.choice(MALFORMED))
        head = await connection.read_head()
        if head.status != 400 or not head.closes:
            raise Broken(f"{head.status} to a malformed request")
        await connection.read_body(head)

    # --- HTTP/2 -----------------------------------------------------------------------------------------------------

    async def http2(self):
        """Streams at once on one connection: small replies, uploads, events; some are reset on the way."""
        pace = self.read_slowly if self.chance.random() < 0.15 else None
        self.connection = connection = await H2Connection.open(self.door, pace)
        tasks = [asyncio.ensure_future(self.http2_stream(connection)) for _ in range(self.chance.randrange(1, 16))]
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        for problem in results:
            if isinstance(problem, Exception):
                raise problem

    async def http2_stream(self, connection):
        await asyncio.sleep(self.chance.random() * 0.3)
        app = self.draw_app()
        request_id = self.begin(app, "http2")
        blocks, path, expected = self.draw_http2(request_id)
        try:
            stream = await connection.begin(app, path, "POST" if blocks else "GET", bool(blocks))
            exchange = self.http2_exchange(connection, stream, (request_id, blocks, expected))
            if self.chance.random() > 0.25:
                return await exchange
            try:
                await asyncio.wait_for(exchange, self.chance.expovariate(1 / 0.1))
            except asyncio.TimeoutError:
                connection.reset(stream.number)
                self.account.abort_all([request_id])
        except Dropped:
            self.account.end(request_id, ends.DROPPED)
        return None

    def draw_http2(self, request_id):
        """(blocks of the body, path, body expected)."""
        draw = self.chance.random()
        if draw < 0.2:
            block = self.chance.randbytes(self.chance.randrange(1, 32 * KIB))
            blocks, checksum = [block] * self.chance.randrange(1, 32), 0
            for block in blocks:
                checksum = zlib.crc32(block, checksum)
            return blocks, f"/upload/{request_id}", f"{sum(map(len, blocks))} {checksum}".encode()
        if draw < 0.35:
            count = self.chance.randrange(1, 30)
            return [], f"/stream/{request_id}?n={count}&gap=20", self.event_check(request_id, count)
        if draw < 0.5:
            size = self.chance.randrange(1, 512 * KIB)
            return [], f"/bytes/{request_id}?n={size}", lambda body: len(body) == size
        return [], f"/short/{request_id}", request_id.encode()

    async def http2_exchange(self, connection, stream, wanted):
        request_id, blocks, expected = wanted
        if blocks:
            await connection.send_body(stream, blocks)
        head = await stream.head

        async def read_body():
            return b"".join([block async for block in connection.blocks(stream)])

        if await self.is_accepted(request_id, head, read_body):
            self.judge_body(request_id, await read_body(), expected)
