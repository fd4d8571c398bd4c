"""http2: a client's HTTP/2 connection, with prior knowledge or by TLS, over the `h2` package. Many requests at once; each may be
reset; replies may be read slowly.
"""
import asyncio

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from http1 import Broken, Connection, READ_MAX, ReplyHead


class Dropped(Exception):
    """The server said that it never acted on the request."""


class Stream:
    """One request: `head` comes first, then blocks until None; an exception ends it early."""

    def __init__(self, number):
        self.number = number
        self.head = asyncio.get_running_loop().create_future()
        self.blocks = asyncio.Queue()
        self.room = asyncio.Event()

    def fail(self, problem):
        if not self.head.done():
            self.head.set_exception(problem)
            self.head.exception()  # looked at: a client that reset the stream never asks
        self.blocks.put_nowait(problem)
        self.room.set()


class H2Connection:
    def __init__(self, connection, pace=None):
        self.connection, self.pace = connection, pace
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.streams = {}
        self.ended = None  # why nothing more can be sent
        self.reading = None

    @staticmethod
    async def open(door, pace=None):
        made = H2Connection(await Connection.open(door, protocol="h2"), pace)
        made.h2.initiate_connection()
        made.flush()
        made.reading = asyncio.ensure_future(made.read())
        return made

    def __str__(self):
        """What is open, for a report of a stream that never ended."""
        return (f"{'ended' if self.ended else 'open'}, connection may send {self.h2.outbound_flow_control_window}, "
                + "; ".join(self.describe(number) for number in self.streams))

    def describe(self, number):
        stream = self.streams[number]
        head = "head read" if stream.head.done() else "head awaited"
        try:
            return (f"{number}: {head}, may send {self.h2.local_flow_control_window(number)}, "
                    f"may receive {self.h2.remote_flow_control_window(number)}")
        except h2.exceptions.StreamClosedError:
            return f"{number}: {head}, closed, {stream.blocks.qsize()} blocks unread"

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.connection.writer.write(data)

    def close(self, with_reset=False):
        if self.reading:
            self.reading.cancel()
        self.connection.close(with_reset)

    async def begin(self, app, path, method="GET", has_body=False):
        if self.ended:
            raise self.ended
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream(number)
        self.h2.send_headers(number, [(":method", method), (":scheme", "http"), (":authority", f"{app}.localhost"),
                                      (":path", path)], end_stream=not has_body)
        self.flush()
        return stream

    async def send_body(self, stream, blocks):
        """Sends what the windows allow, until the server has answered or all is sent."""
        number = stream.number
        for block in blocks:
            while block:
                if stream.head.done():
                    return
                most = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(block))
                if most <= 0:
                    stream.room.clear()
                    await stream.room.wait()
                    continue
                self.h2.send_data(number, block[:most])
                block = block[most:]
                self.flush()
                await self.connection.writer.drain()
        if not stream.head.done():
            self.h2.end_stream(number)
            self.flush()

    def reset(self, number):
        """False: it has ended already."""
        self.streams.pop(number, None)
        try:
            self.h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.ProtocolError:
            return False
        self.flush()
        return True

    async def read(self):
        try:
            while data := await self.connection.reader.read(READ_MAX):
                for event in self.h2.receive_data(data):
                    self.take(event)
                self.flush()
                if self.pace:
                    await self.pace()
            self.end(Broken("the connection ended"))
        except Exception as problem:  # pylint: disable=broad-except; handed to every stream
            self.end(Broken(f"the connection broke: {problem!r}"))

    def end(self, problem):
        self.ended = self.ended or problem
        for stream in list(self.streams.values()):
            stream.fail(problem)
        self.streams.clear()

    def take(self, event):  # pylint: disable=too-many-branches
        if isinstance(event, h2.events.ConnectionTerminated):
            self.go_away(event)
        if isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for stream in self.streams.values():
                stream.room.set()
            return
        number = getattr(event, "stream_id", None)
        stream = self.streams.get(number)
        if isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            fields = dict(event.headers)
            if not stream.head.done():  # it may be cancelled, moments before its reset
                stream.head.set_result(ReplyHead(int(fields.pop(":status")), fields))
            stream.room.set()
        elif isinstance(event, h2.events.DataReceived):
            stream.blocks.put_nowait(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            stream.blocks.put_nowait(None)
        elif isinstance(event, h2.events.StreamReset):
            refused = event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
            stream.fail(Dropped() if refused else Broken(f"reset with {event.error_code!r}"))

    def go_away(self, event):
        self.ended = Dropped() if event.error_code == 0 else Broken(f"GOAWAY {event.error_code!r} {event.additional_data!r}")
        for number, stream in list(self.streams.items()):
            if number > event.last_stream_id:
                stream.fail(Dropped())
                del self.streams[number]

    async def blocks(self, stream):
        while (block := await stream.blocks.get()) is not None:
            if isinstance(block, Exception):
                raise block
            yield block
        self.streams.pop(stream.number, None)
