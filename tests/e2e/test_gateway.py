"""test_gateway: what passes between client and program, and what does not."""
import json
import socket
import time

import pytest

from serving import wait_until


@pytest.fixture(scope="module")
def echo(shared_serve):
    shared_serve.deploy_echo("echo", wait=True, scale={"min": 1, "max": 2, "concurrency": 16})
    return shared_serve


def send_raw(serve, data, timeout=30):
    """What comes back on a connection that sends these bytes, up to its end."""
    with serve.connect(timeout) as connection:
        connection.sendall(data)
        received = b""
        while True:
            try:
                block = connection.recv(65536)
            except (TimeoutError, ConnectionResetError):
                break
            if not block:
                break
            received += block
    return received


def test_an_app_is_found_by_host_and_by_path(echo):
    assert echo.app("echo").status == 200
    assert echo.get("/apps/echo/").status == 200
    listed = echo.get("/apps/echo/headers").json
    assert isinstance(listed, list)


def test_an_unknown_app_is_404_with_a_next_step(echo):
    reply = echo.app("nobody")
    assert reply.status == 404 and reply.headers["content-type"].startswith("application/problem+json")
    assert reply.json["code"] and "kelvin apps" in reply.text
    assert echo.get("/nowhere").status == 404


def test_events_pass_one_by_one(echo):
    with echo.connect() as connection:
        connection.sendall(f"GET /stream?n=3&gap=400 HTTP/1.1\r\nHost: echo.localhost:{echo.port}\r\n\r\n".encode())
        arrivals, received = [], b""
        while b"data: 2" not in received:
            block = connection.recv(65536)
            assert block, received
            received += block
            if b"data: " in block:
                arrivals.append(time.monotonic())
    assert len(arrivals) == 3 and arrivals[1] - arrivals[0] > 0.2


def test_a_connection_serves_many_requests(echo):
    with echo.connect() as connection:
        file = connection.makefile("rb")
        for _ in range(5):
            connection.sendall(f"GET /bytes?n=5 HTTP/1.1\r\nHost: echo.localhost:{echo.port}\r\n\r\n".encode())
            assert file.readline().startswith(b"HTTP/1.1 200")
            while file.readline().strip():
                pass
            assert file.read(5) == b"xxxxx"


def test_large_bodies_pass_both_ways(echo):
    body = bytes(range(256)) * 16384  # 4 MiB
    assert echo.app("echo", "/post", "POST", body).body == body
    assert len(echo.app("echo", "/bytes?n=8388608").body) == 8388608


def test_every_reply_carries_an_id_and_its_timing(echo):
    first, second = echo.app("echo"), echo.app("echo")
    assert first.headers["kelvin-request-id"] != second.headers["kelvin-request-id"]
    assert "ttfb" in first.headers["server-timing"]
    assert echo.app("nobody").headers["kelvin-request-id"]


def test_our_keys_stay_with_us_and_other_credentials_pass(echo):
    headers = dict(map(tuple, echo.app("echo", "/headers", headers={"Authorization": "Bearer their-own"}).json))
    assert headers.get("Authorization") == "Bearer their-own"
    headers = dict(map(tuple, echo.app("echo", "/headers", headers={"Authorization": "Bearer " + echo.token}).json))
    assert "Authorization" not in headers
    assert echo.app("echo", headers={"Authorization": "Bearer kv_AAAAAAAA_" + "A" * 43}).status == 401


def test_a_client_that_leaves_frees_its_slot(echo):
    for _ in range(3):
        with echo.connect() as connection:
            connection.sendall(f"GET /stream?n=600&gap=100 HTTP/1.1\r\nHost: echo.localhost:{echo.port}\r\n\r\n".encode())
            assert connection.recv(100)
    wait_until(lambda: all(r["in_flight"] == 0 for r in echo.live_replicas("echo")), "the slots are free")


def test_half_a_request_is_answered_with_408_or_closed(echo):
    received = send_raw(echo, f"GET / HTTP/1.1\r\nHost: echo.loc".encode(), timeout=90)
    assert received == b"" or b" 408 " in received.split(b"\r\n")[0]
    assert echo.app("echo").status == 200


def test_half_a_body_then_silence_loses_nothing_of_others(echo):
    with echo.connect() as connection:
        connection.sendall(f"POST /post HTTP/1.1\r\nHost: echo.localhost:{echo.port}\r\nContent-Length: 100\r\n\r\nhalf".encode())
        assert echo.app("echo").status == 200
    wait_until(lambda: all(r["in_flight"] == 0 for r in echo.live_replicas("echo")), "its slot is free")


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n\r\n",                                                     # no Host
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : echo.localhost\r\n\r\n",
    b"GET / HTTP/1.1\nHost: echo.localhost\n\n",
    b"nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",   # a TLS hello
])
def test_malformed_requests_are_400_and_closed(echo, data):
    received = send_raw(echo, data, timeout=30)
    assert received.split(b"\r\n")[0].split(b" ")[1:2] == [b"400"], received[:200]


def test_too_large_a_head_is_431(echo):
    data = f"GET / HTTP/1.1\r\nHost: echo.localhost:{echo.port}\r\nX: {'y' * 70000}\r\n\r\n".encode()
    assert b" 431 " in send_raw(echo, data).split(b"\r\n")[0]


def test_too_large_a_model_body_is_413(echo):
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{echo.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {33 * 1024 * 1024}\r\n\r\n").encode()
    with echo.connect() as connection:
        connection.sendall(head)
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]


# --- web pages may not reach in ---------------------------------------------------------------------------------------------

def test_a_web_page_cannot_post_to_the_management_api(echo):
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Content-Type": "text/plain"}):
        reply = echo.api("POST", "/apps/echo/park", {}, headers)
        assert reply.status in (403, 415), (headers, reply)
    assert echo.request("POST", "/api/v1/apps/echo/park", "{}", {"Content-Type": "application/json"}).status == 401


def test_a_web_page_cannot_post_to_an_app_unless_the_app_says_so(echo):
    assert echo.app("echo", "/post", "POST", b"x", {"Origin": "https://evil.example"}).status == 403
    echo.deploy_echo("open", cors=["https://good.example"])
    assert echo.app("open", "/post", "POST", b"x", {"Origin": "https://good.example"}).status == 200
    assert echo.app("open", "/post", "POST", b"x", {"Origin": "https://evil.example"}).status == 403


def test_errors_under_v1_have_the_envelope(echo):
    reply = echo.request("POST", "/v1/chat/completions", "{", {"Content-Type": "application/json"})
    assert reply.status == 400 and {"message", "type", "code"} <= set(reply.json["error"])
    reply = echo.request("POST", "/v1/chat/completions", json.dumps({"model": "nobody"}), {"Content-Type": "application/json"})
    assert reply.status == 404 and reply.json["error"]["code"] == "model_not_found"


def test_health_metrics_and_description_are_served(echo):
    assert echo.get("/healthz").status == 200 and echo.get("/readyz").status == 200
    assert echo.get("/api/openapi.json").json["openapi"].startswith("3.1")
    assert echo.get("/metrics").status in (401, 403)
    metrics = echo.get("/metrics", headers={"Authorization": "Bearer " + echo.token})
    assert metrics.status == 200 and "# TYPE" in metrics.text
