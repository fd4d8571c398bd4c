#!/usr/bin/python3
"""websocket_app: a WebSocket server on $PORT. It needs websockets on PYTHONPATH.

    /echo               every message, sent back
    /close?code=N       a message "bye", then a close frame with that code
    /count?n=N          N messages "0", "1", ... without being asked
    /push?bytes=N       one message of N bytes
    /fail               403 instead of an upgrade
    /ended              the close codes that clients of /echo have sent, as JSON; the newest last
"""
import asyncio
import json
import os
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

ENDED = []


def refuse(connection, request):
    if urlsplit(request.path).path == "/fail":
        return connection.respond(403, "not you\n")
    return None


async def speak(socket):
    url = urlsplit(socket.request.path)
    number = int(next(iter(parse_qs(url.query).values()), ["0"])[0])
    if url.path == "/echo":
        try:
            async for message in socket:
                await socket.send(message)
        except ConnectionClosed:
            pass
        ENDED.append(socket.close_code)
    elif url.path == "/close":
        await socket.send("bye")
        await socket.close(number, "as asked")
    elif url.path == "/count":
        for at in range(number):
            await socket.send(str(at))
    elif url.path == "/push":
        await socket.send(b"x" * number)
    elif url.path == "/ended":
        await socket.send(json.dumps(ENDED))


async def main():
    async with serve(speak, "127.0.0.1", int(os.environ["PORT"]), process_request=refuse, max_size=None, ping_interval=None,
                     select_subprotocol=lambda _, offered: next(iter(offered), None)) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
