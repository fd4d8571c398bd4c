"""collector: a double of an OpenTelemetry collector for the tests of traces. It takes OTLP/HTTP JSON, checks its shape as the
protocol's definition gives it, and keeps the spans. It is no collector: nothing is stored or shown.
"""
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ID = {16: re.compile(r"[0-9a-f]{32}"), 8: re.compile(r"[0-9a-f]{16}")}
REQUEST_KEYS = {"resourceSpans"}
SPAN_KEYS = {"traceId", "spanId", "parentSpanId", "traceState", "flags", "name", "kind", "startTimeUnixNano",
             "endTimeUnixNano", "attributes", "droppedAttributesCount", "events", "droppedEventsCount", "links",
             "droppedLinksCount", "status"}


def check_attributes(attributes):
    """{key: value}; a 64-bit number is text in the JSON of protocol buffers."""
    found = {}
    for one in attributes:
        assert set(one) == {"key", "value"} and one["key"] and one["key"] not in found, one
        (kind, value), = one["value"].items()
        assert kind in ("stringValue", "intValue", "boolValue"), one
        assert isinstance(value, bool if kind == "boolValue" else str), one
        found[one["key"]] = int(value) if kind == "intValue" else value
    return found


def check_span(span):
    assert set(span) <= SPAN_KEYS, set(span) - SPAN_KEYS
    assert ID[16].fullmatch(span["traceId"]) and span["traceId"] != "0" * 32
    assert ID[8].fullmatch(span["spanId"]) and span["spanId"] != "0" * 16
    assert ID[8].fullmatch(span.get("parentSpanId", "0" * 16))
    assert span["kind"] in range(1, 6) and span["name"] and isinstance(span["flags"], int)
    start, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
    assert isinstance(start, str) and isinstance(end, str) and 1_600_000_000 * 10**9 < int(start) <= int(end)
    assert span["status"].get("code", 0) in (0, 1, 2)
    return {**span, "start": int(start), "end": int(end), "attributes": check_attributes(span["attributes"])}


def check_request(body):
    """The spans of an ExportTraceServiceRequest, flat, each with the instance of the service that sent it."""
    request = json.loads(body)
    assert set(request) == REQUEST_KEYS
    spans = []
    for of_resource in request["resourceSpans"]:
        assert set(of_resource) == {"resource", "scopeSpans"}
        resource = check_attributes(of_resource["resource"]["attributes"])
        assert resource["service.name"] == "kelvin" and resource["service.version"]
        for of_scope in of_resource["scopeSpans"]:
            assert set(of_scope) == {"scope", "spans"} and of_scope["scope"]["name"]
            instance = {"instance": resource["service.instance.id"]}
            spans += [{**check_span(span), **instance} for span in of_scope["spans"]]
    return spans


class Collector:
    """Answers `answers` one after the other, then 200."""

    def __init__(self, answers=()):
        self.answers = list(answers)  # (status, headers)
        self.spans, self.problems, self.posts = [], [], 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.make_class())
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, path, headers, body):
        self.posts += 1
        if self.answers:
            return self.answers.pop(0)
        try:
            assert path == "/v1/traces" and headers["Content-Type"] == "application/json"
            self.spans += check_request(body)
        except (AssertionError, KeyError, ValueError) as problem:
            self.problems.append(f"{problem!r} in {body[:2000]}")
            return 400, {}
        return 200, {}

    def make_class(self):
        collector = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = collector.take(self.path, self.headers, body)
                reply = b"{}"
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json"}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

        return Answering

    def of_trace(self, trace):
        return [span for span in self.spans if span["traceId"] == trace]
