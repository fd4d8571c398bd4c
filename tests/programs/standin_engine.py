#!/usr/bin/python3
"""standin_engine: stands in for llama-server where the real engine is not in the cache. It is no model, and every reply
says so. It takes llama-server's options, is "loading" for half a second (503 on /health), then speaks the parts of the
OpenAI API that the tests use: /v1/models, /v1/chat/completions streamed and plain.
"""
import argparse
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LABEL = "This is the stand-in engine, not a language model."
LOADING_S = 0.5
BEGAN = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    name = "standin"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_loading(self):
        if time.monotonic() - BEGAN > LOADING_S:
            return False
        self.answer(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
        return True

    def do_GET(self):
        if self.is_loading():
            return
        if self.path == "/health":
            self.answer(200, {"status": "ok"})
        elif self.path == "/v1/models":
            self.answer(200, {"object": "list", "data": [{"id": self.name, "object": "model", "owned_by": "standin"}]})
        else:
            self.answer(404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.is_loading():
            return
        if self.path != "/v1/chat/completions":
            self.answer(404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}})
            return
        asked = json.loads(body)
        question = next((m["content"] for m in reversed(asked["messages"]) if m["role"] == "user"), "")
        text = f"{LABEL} You asked: {question}"
        if asked.get("stream"):
            self.stream(text, asked.get("model"))
        else:
            self.answer(200, self.envelope("chat.completion", asked.get("model"), {
                "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}, text))

    def envelope(self, kind, model, choice, text=None):
        value = {"id": "chatcmpl-standin", "object": kind, "created": int(time.time()), "model": model,
                 "choices": [{"index": 0, **choice}]}
        if text is not None:
            words = len(text.split())
            value["usage"] = {"prompt_tokens": 1, "completion_tokens": words, "total_tokens": words + 1}
        return value

    def stream(self, text, model):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        deltas = [{"role": "assistant", "content": ""}] + [{"content": word + " "} for word in text.split()]
        for delta in deltas:
            self.send_event(json.dumps(self.envelope("chat.completion.chunk", model,
                                                     {"delta": delta, "finish_reason": None})))
            time.sleep(0.01)
        self.send_event(json.dumps(self.envelope("chat.completion.chunk", model, {"delta": {}, "finish_reason": "stop"})))
        self.send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def send_event(self, text):
        event = f"data: {text}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", "--model", default="standin")
    parser.add_argument("--alias", default="standin")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options, _ = parser.parse_known_args()
    Handler.name = options.alias
    print(LABEL, flush=True)
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
