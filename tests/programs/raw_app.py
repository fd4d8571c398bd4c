#!/usr/bin/python3
"""raw_app: writes down every byte of every connection to $PORT, or to the socket at the path $LISTEN, and answers the first
request on each.

What came on the Nth connection is $RECORDS/N.open until the other side ends it, and $RECORDS/N.done from then on. The answer
closes the connection, so whatever follows the first request there was no request of its own to the server in front.

read_requests() is also what the tests judge those bytes with: a Reading says how some servers read what others refuse.
"""
import os
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Reading:
    takes_bare_lf: bool = False     # LF alone ends a line
    takes_any_coding: bool = False  # "chunked" anywhere in a Transfer-Encoding, or near its name, means chunked
    prefers_length: bool = False # a Content-Length beats a Transfer-Encoding
    takes_last_length: bool = False  # of several; else the first


STRICT = Reading()


def read_requests(raw, reading=STRICT):
    """[(request line, body)] of the whole requests at the front of these bytes, and what is left."""
    found = []
    while True:
        rest = raw.lstrip(b"\r\n")
        end = re.search(rb"\r?\n\r?\n" if reading.takes_bare_lf else rb"\r\n\r\n", rest)
        if end is None:
            return found, rest
        line, *fields = re.split(rb"\r?\n" if reading.takes_bare_lf else rb"\r\n", rest[:end.start()])
        body = read_body(rest[end.end():], fields, reading)
        if body is None:
            return found, rest
        found.append((line, body[0]))
        raw = body[1]


def read_body(rest, fields, reading):
    """The body and what follows it; None: it is not whole, or cannot be read."""
    lengths, is_chunked = [], False
    for field in fields:
        name, _, value = field.partition(b":")
        name, value = name.lower(), value.strip(b" \t").lower()
        if reading.takes_any_coding:
            is_chunked |= re.fullmatch(rb"\W*transfer\W?_?encoding\W*", name) is not None and b"chunked" in value
            name = name.strip()
        is_chunked |= name == b"transfer-encoding" and value == b"chunked"
        if name == b"content-length" and (digits := re.search(rb"\d+", value)):
            lengths.append(int(digits.group()))
    if is_chunked and not (lengths and reading.prefers_length):
        return read_chunks(rest, rb"\r?\n" if reading.takes_bare_lf else rb"\r\n")
    length = (lengths or [0])[-1 if reading.takes_last_length else 0]
    return (rest[:length], rest[length:]) if len(rest) >= length else None


def read_chunks(rest, line_end):
    body = b""
    while True:
        size = re.match(rb"[ \t]*([0-9a-fA-F]+)[^\r\n]*" + line_end, rest)
        if size is None:
            return None
        length, rest = int(size.group(1), 16), rest[size.end():]
        if length == 0:
            trailers = re.match(rb"(?:[^\r\n]+" + line_end + rb")*" + line_end, rest)
            return (body, rest[trailers.end():]) if trailers else None
        end = re.match(line_end, rest[length:])
        if end is None:
            return None
        body, rest = body + rest[:length], rest[length + end.end():]


def record(connection, path):
    raw = b""
    try:
        is_answered = False
        while block := connection.recv(65536):
            raw += block
            requests, _ = read_requests(raw)
            if requests and not is_answered:
                is_answered = True
                connection.sendall(ANSWER + (b"" if requests[0][0].startswith(b"HEAD ") else b"ok"))
                connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has broken off
    connection.close()
    path.write_bytes(raw)
    path.rename(path.with_suffix(".done"))


def listen():
    path = os.environ.get("LISTEN")
    if path is None:
        return socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=128)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    os.chmod(path, 0o777)  # the server in front may be another user
    listening.listen(128)
    return listening


def main():
    records = Path(os.environ["RECORDS"])
    with listen() as listening:
        number = 0
        while True:
            connection, _ = listening.accept()
            number += 1
            path = records / f"{number:06}.open"
            path.touch()
            threading.Thread(target=record, args=(connection, path), daemon=True).start()


if __name__ == "__main__":
    main()
