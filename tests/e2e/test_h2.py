"""test_h2: HTTP/2 in front with clients that others wrote: curl and h2load of Debian, and the h2 package."""
import json
import re
import subprocess
import zlib

import pytest

from serving import wait_until


@pytest.fixture(scope="module")
def echo(shared_serve):
    shared_serve.deploy_echo("echo", wait=True, scale={"min": 1, "max": 1, "concurrency": 64})
    return shared_serve


def curl(serve, path, *options, app="echo", data=b""):
    """(status, {name: value} of head and trailers, body); fails where it was not HTTP/2 throughout."""
    host = f"{app}.localhost" if app else "127.0.0.1"
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--http2-prior-knowledge", "--max-time", "120",
               "--dump-header", "/dev/stderr", "--resolve", f"{host}:{serve.port}:127.0.0.1", *options,
               f"http://{host}:{serve.port}{path}"]
    run = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    said = run.stderr.decode()
    assert run.returncode == 0, said
    first, *lines = said.replace("\r", "").strip().split("\n")
    assert first.startswith("HTTP/2 "), said
    fields = {line.split(":", 1)[0]: line.split(":", 1)[1].strip() for line in lines if ":" in line}
    return int(first.split()[1]), fields, run.stdout


def h2load(serve, path, *options):
    """The counts of its report by name."""
    run = subprocess.run(["h2load", f"--connect-to=127.0.0.1:{serve.port}", *options, f"http://echo.localhost:{serve.port}{path}"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False)
    assert run.returncode == 0 and "Application protocol: h2c" in run.stdout, run.stdout
    counts = re.search(r"^requests: (.*)$", run.stdout, re.MULTILINE).group(1)
    codes = re.search(r"^status codes: (.*)$", run.stdout, re.MULTILINE).group(1)
    return {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", counts + ", " + codes)}


def wait_idle(serve):
    wait_until(lambda: all(replica["in_flight"] == 0 for replica in serve.live_replicas("echo")), "every slot has been given back")


def test_curl_gets_a_reply_from_cold(make_serve):
    serve = make_serve()
    serve.deploy_echo("echo", scale={"min": 0, "max": 1})
    status, fields, body = curl(serve, "/")
    assert status == 200 and body.startswith(b"hello from") and fields["kelvin-cold-start"] == "cold"


def test_large_bodies_pass_both_ways(echo):
    body = bytes(range(256)) * 131072  # 32 MiB
    status, _, returned = curl(echo, "/post", "--data-binary", "@-", "-H", "Expect:", data=body)
    assert status == 200 and zlib.crc32(returned) == zlib.crc32(body)
    status, fields, received = curl(echo, "/bytes?n=50000000")
    assert status == 200 and len(received) == 50_000_000 and fields["content-length"] == "50000000"


def test_a_body_of_unknown_length_passes(echo):
    body = b"some bytes " * 100_000
    status, _, returned = curl(echo, "/post", "--request", "POST", "--upload-file", "-", "-H", "Expect:", data=body)
    assert status == 200 and returned == body


def test_trailers_of_a_program_reach_the_client(echo):
    status, fields, body = curl(echo, "/trailers")
    assert status == 200 and body == b"body\n" and fields["x-checksum"] == "41"


def test_events_come_one_by_one(echo):
    status, _, body = curl(echo, "/stream?n=5&gap=10", "--no-buffer")
    assert status == 200 and body == b"".join(b"data: %d\n\n" % number for number in range(5))


def test_what_only_concerns_one_connection_is_not_passed_on(echo):
    status, _, body = curl(echo, "/headers", "-H", "X-Own: 1", "-H", "X-Forwarded-For: 6.6.6.6")
    seen = {name.lower(): value for name, value in json.loads(body)}
    assert status == 200 and seen["x-own"] == "1" and seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["host"] == f"echo.localhost:{echo.port}" and not any(name.startswith(":") for name in seen)


def test_refusals_are_replies_of_http2(echo):
    assert curl(echo, "/", app="nobody")[0] == 404
    assert curl(echo, "/apps/echo/%2e%2e/", app=None)[0] == 400
    status, fields, body = curl(echo, "/v1/chat/completions", "-H", "Content-Type: application/json", "-d", '{"model":"nobody"}',
                                app=None)
    assert status == 404 and json.loads(body)["error"]["code"] == "model_not_found" and fields["kelvin-request-id"]


def test_the_management_api_is_served(echo):
    bearer = ("-H", f"Authorization: Bearer {echo.token}")
    status, _, body = curl(echo, "/api/v1/apps", *bearer, app=None)
    assert status == 200 and "echo" in [app["name"] for app in json.loads(body)["apps"]]
    assert curl(echo, "/api/v1/apps/echo/wake", *bearer, "-H", "Content-Type: application/json", "-d", "{}", app=None)[0] // 100 == 2
    assert curl(echo, "/api/v1/apps", app=None)[0] == 401
    assert curl(echo, "/healthz", app=None)[0] == 200
    status, fields, body = curl(echo, "/metrics", *bearer, app=None)
    assert status == 200 and b"# TYPE" in body and fields["content-type"].startswith("text/plain")


def test_many_streams_of_many_connections_are_all_answered(echo):
    assert h2load(echo, "/bytes?n=100", "-n", "3000", "-c", "8", "-m", "100") == {
        "total": 3000, "started": 3000, "done": 3000, "succeeded": 3000, "failed": 0, "errored": 0, "timeout": 0,
        "2xx": 3000, "3xx": 0, "4xx": 0, "5xx": 0}
    wait_idle(echo)


def test_large_replies_on_many_streams_share_a_small_window(echo):
    # 2^16 - 1 bytes is the smallest window of a connection: every stream waits for the others again and again.
    counts = h2load(echo, "/bytes?n=300000", "-n", "200", "-c", "2", "-m", "50", "-w", "14", "-W", "16")
    assert counts["succeeded"] == counts["2xx"] == 200
    wait_idle(echo)


def test_uploads_on_many_streams_are_all_answered(echo, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"u" * 200_000)
    counts = h2load(echo, "/post", "-n", "200", "-c", "4", "-m", "16", "-d", str(body))
    assert counts["succeeded"] == counts["2xx"] == 200
    wait_idle(echo)
