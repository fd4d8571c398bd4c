"""test_observing: the page of metrics, the access log and the traces of a running platform."""
import json
import os
import re
import subprocess
import sys

import pytest

from serving import PROGRAMS, REPOSITORY, wait_until

sys.path.insert(0, str(PROGRAMS))

from collector import Collector  # noqa: E402  pylint: disable=wrong-import-position

METRICS_PAGE = REPOSITORY / "docs" / "ops" / "metrics.md"
TABLE_HEAD = "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def promtool():
    found = subprocess.run([REPOSITORY / "tools" / "promtool"], stdout=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 0, "tools/promtool found no promtool and could not download it"
    return found.stdout.strip()


@pytest.fixture
def collectors():
    made = []

    def make(answers=()):
        made.append(Collector(answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def page_of(serve):
    reply = serve.get("/metrics", headers={"Authorization": "Bearer " + serve.token})
    assert reply.status == 200
    return reply.text


class Family:
    def __init__(self, kind, meaning):
        self.kind, self.meaning, self.samples = kind, meaning, {}

    @property
    def labels(self):
        """Names in the order in which they are written, without those of the format itself."""
        names = {}
        for labels in self.samples:
            names.update({name: None for name, _ in labels if name != "le"})
        return list(names)


def families_of(page):
    """{name: Family} of a page in the text format."""
    found, helps = {}, {}
    for line in page.splitlines():
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            helps[name] = text
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = Family(kind, helps[name])
        else:
            name, labels, value = re.fullmatch(r'([a-z_0-9]+)(?:\{(.*)\})? (\S+)', line).groups()
            family = found.get(name) or found[re.sub(r"_(bucket|sum|count)$", "", name)]
            pairs = tuple(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            family.samples[pairs + ((("#", name),) if family.kind == "histogram" else ())] = float(value)
    for family in found.values():
        family.samples = {tuple(p for p in pairs if p[0] != "#"): value for pairs, value in family.samples.items()
                          if family.kind != "histogram" or dict(pairs)["#"].endswith("_count")}
    return found


def sum_of(families, name, **labels):
    return sum(value for pairs, value in families[name].samples.items() if labels.items() <= dict(pairs).items())


def table_of(families):
    rows = []
    for name, family in sorted(families.items()):
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{name}` | {family.kind} | {labels} | {family.meaning} |\n")
    return TABLE_HEAD + "".join(rows)


def test_promtool_accepts_the_page_and_the_documentation_names_every_metric(make_serve, promtool, spare_folder):
    serve = make_serve(options=["--access-log", str(spare_folder / "access.log")])
    serve.deploy_echo("echo", scale={"min": 0, "max": 1})
    assert serve.app("echo").status == 200            # from cold
    serve.park("echo")
    assert serve.app("echo").status == 200            # from parked
    assert serve.app("nobody").status == 404          # of no app
    assert serve.get("/v1/models").status == 200
    with serve.connect() as connection:               # a client that leaves
        connection.sendall(f"GET /sleep?ms=5000 HTTP/1.1\r\nHost: echo.localhost:{serve.port}\r\n\r\n".encode())
        wait_until(lambda: sum_of(families_of(page_of(serve)), "kelvin_gateway_requests_in_flight") == 1, "it runs")
    wait_until(lambda: sum_of(families_of(page_of(serve)), "kelvin_request_errors_total", source="client") == 1,
               "the client that left is counted")

    page = page_of(serve)
    check = subprocess.run([promtool, "check", "metrics"], input=page, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
    assert check.returncode == 0 and not check.stdout, check.stdout

    families = families_of(page)
    echo = {"workspace": "default", "app": "echo"}
    assert sum_of(families, "kelvin_requests_total", **echo, route="proxy", **{"class": "2xx"}) == 2
    assert sum_of(families, "kelvin_requests_total", **echo, route="proxy", **{"class": "left"}) == 1
    assert sum_of(families, "kelvin_requests_total", app="_none", route="proxy", **{"class": "4xx"}) == 1
    assert sum_of(families, "kelvin_requests_total", app="_none", route="v1/models", **{"class": "2xx"}) == 1
    assert sum_of(families, "kelvin_request_duration_seconds", **echo) == 3
    assert sum_of(families, "kelvin_cold_start_seconds", **echo, woke_from="cold") == 1
    assert sum_of(families, "kelvin_cold_start_seconds", **echo, woke_from="parked") == 1
    assert sum_of(families, "kelvin_queue_wait_seconds", **echo) == 3
    assert sum_of(families, "kelvin_reply_body_bytes_total", **echo) > 0
    wait_until(lambda: sum_of(families_of(page_of(serve)), "kelvin_access_log_lines_total") >= 5, "lines are counted")

    documented = METRICS_PAGE.read_text(encoding="utf-8")
    at = documented.index(TABLE_HEAD)
    end = at + len(re.match(r"(?:\|.*\n)+", documented[at:]).group(0))
    if os.environ.get("KELVIN_ACCEPT") == "1":
        METRICS_PAGE.write_text(documented[:at] + table_of(families) + documented[end:], encoding="utf-8")
        pytest.skip("the table of docs/ops/metrics.md was rewritten")
    assert documented[at:end] == table_of(families), "KELVIN_ACCEPT=1 rewrites the table of docs/ops/metrics.md"


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_access_log_keeps_what_matters_whatever_the_sample(make_serve, spare_folder):
    path = spare_folder / "access.log"
    serve = make_serve(options=["--access-log", str(path), "--access-log-sample", "0", "--access-log-slow", "1h"])
    serve.deploy_echo("echo", scale={"min": 0, "max": 1})
    key = serve.json("keys", "create", "reader", "--scope", "invoke")["secret"]
    headers = {"Authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    cold = serve.app("echo", "/bytes?n=7&token=secret", headers=headers)
    for _ in range(20):
        assert serve.app("echo").status == 200
    serve.park("echo")
    parked = serve.app("echo", "/post", "POST", b"body")
    serve.stop()

    first, second = lines_of(path)
    assert (first["request"], first["woke_from"]) == (cold.headers["kelvin-request-id"], "cold")
    assert (second["request"], second["woke_from"]) == (parked.headers["kelvin-request-id"], "parked")
    assert (first["app"], first["workspace"], first["revision"]) == ("echo", "default", 1)
    assert (first["method"], first["path"], first["protocol"], first["tls"]) == ("GET", "/bytes", "HTTP/1.1", False)
    assert (first["status"], first["ending"], first["route"]) == (200, "replied", "proxy")
    assert first["reply_bytes"] == 7 and second["request_bytes"] == 4 and second["reply_bytes"] == 4
    assert 0 < first["queue_ms"] <= first["ttfb_ms"] <= first["total_ms"]
    assert key.startswith(f"kv_{first['key']}_") and second["key"] is None
    assert (first["client"], first["trace"], second["trace"]) == ("127.0.0.1", TRACE, None)
    text = path.read_text(encoding="utf-8")
    assert "secret" not in text and key.split("_", 2)[2] not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_option_that_makes_no_sense_is_said(binary, spare_folder):
    for options, words in ((["--access-log-sample", "2"], "no share"), (["--otlp", "nowhere"], "no address of a collector"),
                           (["--access-log", str(spare_folder / "missing" / "x")], "open the access log")):
        run = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0", "--data", spare_folder / "data", *options], text=True,
                             stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=60, check=False)
        assert run.returncode != 0 and words in run.stderr, run.stderr


def test_a_cold_request_is_a_trace_with_its_stages(make_serve, collectors):
    collector = collectors()
    serve = make_serve(options=["--otlp", collector.url])
    serve.deploy_echo("echo", scale={"min": 0, "max": 1})
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    reply = serve.app("echo", "/headers?token=secret", headers=headers)
    arrived = {name.lower(): value for name, value in reply.json}

    spans = wait_until(lambda: collector.of_trace(TRACE), "the spans arrive")
    assert not collector.problems, collector.problems
    server, = [span for span in spans if span["kind"] == 2]
    assert server["parentSpanId"] == SPAN and server["name"] == "GET proxy"
    assert arrived["traceparent"] == f"00-{TRACE}-{server['spanId']}-01" and arrived["tracestate"] == "vendor=1"
    told = server["attributes"]
    assert told["http.request.method"] == "GET" and told["url.path"] == "/headers"
    assert told["http.response.status_code"] == 200 and told["kelvin.app"] == "echo"
    assert told["kelvin.woke_from"] == "cold" and told["kelvin.replica"].startswith("r")
    assert told["kelvin.request"] == reply.headers["kelvin-request-id"]
    stages = {span["name"]: span for span in spans if span is not server}
    assert {"queue", "start", "load", "ttfb"} <= set(stages), set(stages)
    for stage in stages.values():
        assert stage["parentSpanId"] == server["spanId"]
        assert server["start"] <= stage["start"] <= stage["end"] <= server["end"], stage
    assert "secret" not in json.dumps(collector.spans)

    serve.park("echo")
    own = dict(serve.app("echo", "/headers").json)
    trace = {name.lower(): value for name, value in own.items()}["traceparent"].split("-")[1]
    spans = wait_until(lambda: collector.of_trace(trace), "a trace that begins here arrives")
    assert "resume" in {span["name"] for span in spans}
    server, = [span for span in spans if span["kind"] == 2]
    assert "parentSpanId" not in server and server["attributes"]["kelvin.woke_from"] == "parked"


def test_a_trace_that_its_client_does_not_record_is_passed_on_and_not_sent(make_serve, collectors):
    collector = collectors()
    serve = make_serve(options=["--otlp", collector.url])
    serve.deploy_echo("echo", wait=True, scale={"min": 1, "max": 1})
    reply = serve.app("echo", "/headers", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
    arrived = {name.lower(): value for name, value in reply.json}
    assert arrived["traceparent"].startswith(f"00-{TRACE}-") and arrived["traceparent"].endswith("-00")
    serve.stop()
    assert not collector.of_trace(TRACE)


def test_a_collector_that_fails_is_tried_again_and_what_is_lost_is_counted(make_serve, collectors):
    collector = collectors([(503, {"Retry-After": "1"}), (400, {})])
    serve = make_serve(options=["--otlp", collector.url])
    serve.deploy_echo("echo", wait=True, scale={"min": 1, "max": 1})
    assert serve.app("echo").status == 200
    # The first post is answered 503 and tried again, the second answer is final: what it held is lost.
    wait_until(lambda: sum_of(families_of(page_of(serve)), "kelvin_trace_requests_lost_total", why="given_up") == 1,
               "a refused batch is counted")
    assert sum_of(families_of(page_of(serve)), "kelvin_trace_post_failures_total") == 2
    assert serve.app("echo").status == 200
    wait_until(lambda: sum_of(families_of(page_of(serve)), "kelvin_trace_requests_total") == 1, "the next one is sent")
    assert not collector.problems, collector.problems
    assert serve.log().count("traces are not taken") == 1 and serve.log().count("traces are taken again") == 1


def test_the_end_does_not_wait_for_a_collector_that_never_answers(make_serve):
    serve = make_serve(options=["--otlp", "http://127.0.0.1:9"])
    serve.deploy_echo("echo", wait=True, scale={"min": 1, "max": 1})
    assert serve.app("echo").status == 200
    assert serve.stop() == 0
