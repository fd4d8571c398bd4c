#!/usr/bin/python3
"""recording_app: writes down every request it receives, so that lost and doubled ones can be counted. HTTP/1.1 with
keep-alive on asyncio; START_S in the environment delays its start.

Every path is /KIND/ID?name=number&...; a request is a line "ID" in $RECORDS/APP-PID.txt as soon as its head is read, and
every reply carries the id in X-Soak-Id.

    /short/ID             the id
    /sleep/ID?ms=N        the id, after N ms
    /bytes/ID?n=N         N bytes
    /stream/ID?n=N&gap=MS N server-sent events "data: ID NUMBER", MS apart
    /upload/ID            of the body that comes with it: "LENGTH CRC32", read as it arrives
    /tunnel/ID            with Upgrade: websocket: 101, then every byte comes back; a zero byte ends the tunnel
"""
import asyncio
import base64
import hashlib
import os
import sys
import time
import zlib

BLOCK = b"x" * 65536
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def parse_head(text):
    line, *rest = text.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ", 2)
    fields = {}
    for entry in rest:
        if entry:
            name, value = entry.split(":", 1)
            fields[name.strip().lower()] = value.strip()
    path, _, query = target.partition("?")
    numbers = {name: int(value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)}
    return method, path, numbers, fields


async def body_blocks(reader, fields):
    """The request's body as it arrives."""
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while True:
            left = int((await reader.readline()).split(b";")[0], 16)
            if left == 0:
                while (await reader.readline()).strip():
                    pass
                return
            while left:
                block = await reader.read(min(left, len(BLOCK)))
                if not block:
                    raise EOFError
                left -= len(block)
                yield block
            await reader.readline()
    left = int(fields.get("content-length", "0"))
    while left:
        block = await reader.read(min(left, len(BLOCK)))
        if not block:
            raise EOFError
        left -= len(block)
        yield block


class RecordingApp:
    def __init__(self, folder, name):
        self.file = os.open(f"{folder}/{name}-{os.getpid()}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    async def serve(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except (OSError, EOFError, asyncio.IncompleteReadError):
            pass  # the client's end went away: what was received is written down already
        finally:
            writer.close()

    async def serve_one(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        method, path, numbers, fields = parse_head(head)
        _, kind, request_id = path.split("/", 2)
        os.write(self.file, request_id.encode() + b"\n")
        begin = f"X-Soak-Id: {request_id}\r\n".encode()
        if fields.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await getattr(self, "page_" + kind)(Call(method, request_id, numbers, fields, reader, writer, begin))

    async def page_short(self, call):
        return await call.answer(call.request_id.encode())

    async def page_sleep(self, call):
        await asyncio.sleep(call.numbers.get("ms", 50) / 1000)
        return await call.answer(call.request_id.encode())

    async def page_bytes(self, call):
        left = call.numbers["n"]
        call.write_head(f"Content-Length: {left}\r\n")
        while left and call.method != "HEAD":
            call.writer.write(BLOCK[:left])
            await call.writer.drain()
            left -= min(left, len(BLOCK))
        return True

    async def page_stream(self, call):
        call.write_head("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n")
        for number in range(call.numbers["n"]):
            event = f"data: {call.request_id} {number}\n\n".encode()
            call.writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await call.writer.drain()
            await asyncio.sleep(call.numbers.get("gap", 20) / 1000)
        call.writer.write(b"0\r\n\r\n")
        await call.writer.drain()
        return True

    async def page_upload(self, call):
        length, checksum = 0, 0
        async for block in body_blocks(call.reader, call.fields):
            length += len(block)
            checksum = zlib.crc32(block, checksum)
        return await call.answer(f"{length} {checksum}".encode())

    async def page_tunnel(self, call):
        key = call.fields["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()
        call.writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          + f"Sec-WebSocket-Accept: {accept}\r\n".encode() + call.begin + b"\r\n")
        while block := await call.reader.read(len(BLOCK)):
            call.writer.write(block)
            await call.writer.drain()
            if b"\0" in block:
                break
        return False


class Call:
    def __init__(self, method, request_id, numbers, fields, reader, writer, begin):  # pylint: disable=too-many-arguments
        self.method, self.request_id, self.numbers, self.fields = method, request_id, numbers, fields
        self.reader, self.writer, self.begin = reader, writer, begin

    def write_head(self, fields):
        self.writer.write(b"HTTP/1.1 200 OK\r\n" + self.begin + fields.encode() + b"\r\n")

    async def answer(self, body):
        self.write_head(f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n")
        if self.method != "HEAD":
            self.writer.write(body)
        await self.writer.drain()
        return True


async def main():
    time.sleep(float(os.environ.get("START_S", "0")))
    app = RecordingApp(os.environ["RECORDS"], os.environ.get("APP", "app"))
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])
    server = await asyncio.start_server(app.serve, "127.0.0.1", port, backlog=512)
    print(f"listening on {port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
