"""notes: keeps short notes in memory. GET / lists them, POST / adds one, DELETE / clears them.

They last as long as the process: through parking, which freezes it, but not through cold, which ends it.
"""
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOTE_BYTES_MAX = 4096
NOTES_MAX = 1000


class Notes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    notes = []

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with self.lock:
            self.answer(200, "ok\n" if self.path == "/health" else "".join(note + "\n" for note in self.notes))

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > NOTE_BYTES_MAX:
            self.close_connection = True
            self.answer(413, f"a note has at most {NOTE_BYTES_MAX} bytes\n")
            return
        note = self.rfile.read(length).decode("utf-8", "replace")
        with self.lock:
            if len(self.notes) == NOTES_MAX:
                self.answer(507, f"there are {NOTES_MAX} notes already; DELETE / clears them\n")
                return
            self.notes.append(note)
        self.answer(201, "kept\n")

    def do_DELETE(self):
        with self.lock:
            self.notes.clear()
        self.answer(200, "cleared\n")


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Notes)
    server.daemon_threads = True
    print("notes: listening", flush=True)
    server.serve_forever()
