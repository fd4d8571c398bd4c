#!/usr/bin/python3
"""hangs_later: a good server until somebody asks for /hang; from then on it accepts connections and answers nothing."""
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANGS = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if HANGS.is_set():
            threading.Event().wait()
        body = f"well {os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/hang":
            HANGS.set()


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.daemon_threads = True
server.serve_forever()
