#!/usr/bin/python3
"""echo_app: the general-purpose program of the end-to-end tests. HTTP/1.1 with keep-alive, one thread per connection.

    /                   "hello from PID"
    /sleep?ms=N         answers after N ms
    /stream?n=N&gap=MS  N server-sent events, MS apart, flushed one by one
    /bytes?n=N          N bytes
    /trailers           "body", chunked, then a trailer X-Checksum
    /environment        JSON: environment, uid, gid, groups, cwd, no_new_privs, request headers
    /headers            JSON: the request's headers as they arrived
    /say?text=T         prints T and answers
    /exit?code=N        the process ends at once, without an answer
    POST anything       the body, sent back

With ECHO_STATUS in its environment / answers with that status.
"""
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, body, content_type="text/plain", status=200):
        body = body if isinstance(body, bytes) else str(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        page = getattr(self, "page_" + url.path.strip("/"), None) if url.path != "/" else self.page_hello
        if page is None:
            self.send_error(404)
        else:
            page(query)

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.answer(b"".join(self.chunks()))
        else:
            self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def chunks(self):
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass

    def page_hello(self, _):
        self.answer(f"hello from {os.getpid()}\n", status=int(os.environ.get("ECHO_STATUS", "200")))

    def page_sleep(self, query):
        time.sleep(float(query.get("ms", "100")) / 1000)
        self.answer("slept\n")

    def page_bytes(self, query):
        self.answer(b"x" * int(query.get("n", "1")))

    def page_stream(self, query):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(int(query.get("n", "3"))):
            event = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
            time.sleep(float(query.get("gap", "50")) / 1000)
        self.wfile.write(b"0\r\n\r\n")

    def page_trailers(self, _):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Checksum")
        self.end_headers()
        self.wfile.write(b"5\r\nbody\n\r\n0\r\nX-Checksum: 41\r\n\r\n")

    def page_environment(self, _):
        status = dict(line.split(":\t", 1) for line in open("/proc/self/status", encoding="utf-8") if ":\t" in line)
        self.answer(json.dumps({
            "environment": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
            "cwd": os.getcwd(), "no_new_privs": status.get("NoNewPrivs", "").strip(),
            "headers": list(self.headers.items())}), "application/json")

    def page_headers(self, _):
        self.answer(json.dumps(list(self.headers.items())), "application/json")

    def page_say(self, query):
        print(query.get("text", ""), flush=True)
        self.answer("said\n")

    def page_exit(self, query):
        os._exit(int(query.get("code", "1")))


if __name__ == "__main__":
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])
    ThreadingHTTPServer.request_queue_size = 1024
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    print(f"listening on {port}", flush=True)
    server.serve_forever()
