#!/usr/bin/python3
"""slow_ready: listens at once, answers 503 on /health and shows progress in a line of its own kind at every step, and is
ready after the given seconds. The steps are words: digits alone do not make a line new."""
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

READY_AT = time.monotonic() + float(sys.argv[1])
LAYERS = ["embedding", "attention", "norm", "gate", "projection", "output", "sampler", "cache", "graph", "kernels"]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        is_ready = time.monotonic() >= READY_AT
        body = b"ready\n" if is_ready else b"loading\n"
        self.send_response(200 if is_ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def show_progress():
    step = 0
    while time.monotonic() < READY_AT:
        print("loading the " + " ".join(LAYERS[int(digit)] for digit in str(step)), flush=True)
        step += 1
        time.sleep(0.3)


threading.Thread(target=show_progress, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
