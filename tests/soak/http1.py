"""http1: a client's HTTP/1.1 connection, strict about what comes back."""
import asyncio
import json
import socket
import ssl
import struct
from typing import NamedTuple

HOST = "127.0.0.1"
READ_MAX = 65536


class Broken(Exception):
    """The reply is not what HTTP or the request allows."""


class Door(NamedTuple):
    """Where a client comes in."""
    port: int
    is_secure: bool = False

    def tls(self, protocol):
        """How TLS is spoken there; None for plain text. The certificate is looked at by the tests of TLS."""
        if not self.is_secure:
            return None
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        return context


class ReplyHead:
    def __init__(self, status, fields):
        self.status, self.fields = status, fields

    @property
    def closes(self):
        return self.fields.get("connection", "").lower() == "close"

    @property
    def soak_id(self):
        return self.fields.get("x-soak-id")


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @staticmethod
    async def open(door, receive_buffer=0, protocol="http/1.1"):
        plug = socket.socket()
        plug.setblocking(False)
        if receive_buffer:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(plug, (HOST, door.port))
        except BaseException:
            plug.close()
            raise
        # A small limit makes asyncio stop reading soon, so that a slow reader is slow at the gateway too. The socket is
        # asyncio's from here on, whatever happens.
        limit = 16384 if receive_buffer else READ_MAX
        return Connection(*await asyncio.open_connection(sock=plug, limit=limit, ssl=door.tls(protocol),
                                                         server_hostname=HOST if door.is_secure else None))

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    def close(self, with_reset=False):
        if with_reset:
            plug = self.writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()

    async def read_head(self):
        try:
            text = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as cut:
            raise Broken(f"the connection ended in a head, after {cut.partial[:80]!r}") from cut
        line, *rest = text.decode("latin-1")[:-4].split("\r\n")
        version, status, *_ = line.split(" ", 2)
        if version != "HTTP/1.1" or not status.isdigit():
            raise Broken(f"a head begins with {line!r}")
        fields = {}
        for entry in rest:
            name, _, value = entry.partition(":")
            fields[name.lower()] = value.strip()
        return ReplyHead(int(status), fields)

    async def read_final_head(self):
        while (head := await self.read_head()).status in (100, 102, 103):
            pass
        return head

    async def blocks(self, head, method="GET", pace=None):
        """The body, block by block as it comes. `pace`: awaited before each read."""
        if method == "HEAD" or head.status in (204, 304):
            return
        if head.fields.get("transfer-encoding", "").lower() == "chunked":
            while left := await self.read_chunk_size():
                while left:
                    block = await self.read_block(left, pace)
                    left -= len(block)
                    yield block
                await self.expect_line_end()
            await self.expect_line_end()
            return
        if "content-length" not in head.fields:
            raise Broken("a reply without a length")
        left = int(head.fields["content-length"])
        while left:
            block = await self.read_block(left, pace)
            left -= len(block)
            yield block

    async def read_block(self, most, pace):
        if pace:
            await pace()
        block = await self.reader.read(min(most, READ_MAX))
        if not block:
            raise Broken("the connection ended in a body")
        return block

    async def read_chunk_size(self):
        line = await self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise Broken("the connection ended before a chunk")
        return int(line.split(b";")[0], 16)

    async def expect_line_end(self):
        if await self.reader.readline() != b"\r\n":
            raise Broken("no line end after a chunk")

    async def read_body(self, head, method="GET", pace=None):
        return b"".join([block async for block in self.blocks(head, method, pace)])


def request_head(app, path, method="GET", fields=""):
    return f"{method} {path} HTTP/1.1\r\nHost: {app}.localhost\r\n{fields}\r\n".encode()


def problem_code(body):
    """The machine-readable word of a refusal."""
    try:
        return json.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        return f"not a problem: {body[:60]!r}"
