#!/usr/bin/python3
"""burns_cpu: computes silently for the given seconds, as a compiler would, then listens."""
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = b"compiled\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


burn_until = time.monotonic() + float(sys.argv[1])
x = 1
while time.monotonic() < burn_until:
    x = x * 31 % 1000003
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
