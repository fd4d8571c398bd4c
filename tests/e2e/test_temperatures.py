"""test_temperatures: cold, parked, warm: what wakes what, what is said about it, and that nothing with work is cooled."""
import re
import time

import pytest

from serving import in_background, wait_until


@pytest.fixture
def echo(serve):
    serve.deploy_echo("echo")
    return serve


def stages(reply):
    """Server-Timing as {name: milliseconds}."""
    found = {}
    for part in reply.headers["server-timing"].split(","):
        name, duration = re.match(r"\s*([\w-]+).*?dur=([\d.]+)", part).groups()
        found[name] = float(duration)
    return found


def test_a_deployed_app_is_cold_until_somebody_calls(echo):
    assert echo.condition("echo") == "cold" and echo.live_replicas("echo") == []


def test_the_first_request_starts_a_replica_and_waits_for_it(echo):
    began = time.monotonic()
    reply = echo.app("echo")
    took_ms = (time.monotonic() - began) * 1000
    assert reply.status == 200 and reply.headers["kelvin-cold-start"] == "cold"
    timing = stages(reply)
    assert {"start", "load", "ttfb"} <= set(timing)
    assert sum(timing.values()) <= took_ms + 1
    second = echo.app("echo")
    assert "kelvin-cold-start" not in second.headers and second.status == 200
    assert len(echo.live_replicas("echo")) == 1


def test_parked_comes_back_with_the_same_process(echo):
    pid = echo.app("echo").text
    echo.park("echo")
    [replica] = echo.live_replicas("echo")
    assert replica["state"] == "parked" and replica["temperature"] == "parked"
    reply = echo.app("echo")
    assert reply.text == pid and reply.headers["kelvin-cold-start"] == "parked" and "resume" in stages(reply)


def test_a_parked_program_uses_no_processor_time(echo):
    echo.app("echo")
    echo.park("echo")
    [replica] = echo.live_replicas("echo")
    ticks = lambda: sum(map(int, open(f"/proc/{replica['pid']}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[11:13]))
    before = ticks()
    time.sleep(0.5)  # there is nothing to wait for: nothing may happen
    assert ticks() == before


def test_an_idle_app_cools_step_by_step_to_cold(serve):
    # urgency 0 makes waiting free, so that every step down comes at its earliest.
    serve.deploy_echo("echo", scale={"min": 0, "max": 1, "urgency": 0})
    serve.app("echo")
    answered = time.monotonic()
    wait_until(lambda: serve.condition("echo") != "ready", "it leaves warm")
    assert time.monotonic() - answered >= 1.9, "nothing is parked before 2 s of idle time"
    serve.wait_condition("echo", "cold", patience=120)
    assert serve.app("echo").status == 200


def test_park_never_keeps_the_program_running(serve):
    serve.deploy_echo("echo", park="never")
    serve.app("echo")
    serve.cli("park", "echo", code=None)
    time.sleep(0.5)
    assert serve.condition("echo") != "parked"


def test_min_replicas_stay_warm(serve):
    serve.deploy_echo("echo", scale={"min": 1, "max": 2, "urgency": 0})
    serve.wait_condition("echo", "ready")
    time.sleep(4)  # longer than the earliest moment of parking
    assert serve.condition("echo") == "ready"


def test_nothing_with_work_is_parked(echo):
    echo.app("echo")
    slow = in_background(echo.app, "echo", "/sleep?ms=3000")
    wait_until(lambda: echo.replicas("echo")[0]["in_flight"] == 1, "the request is being served")
    echo.cli("park", "echo", code=None)
    assert echo.condition("echo") == "ready"
    assert slow.result().status == 200


def test_a_long_stream_is_never_cooled(serve):
    serve.deploy_echo("echo", scale={"min": 0, "max": 1, "urgency": 0})
    reply = serve.app("echo", "/stream?n=60&gap=100")
    assert reply.text.count("data: ") == 60


def test_requests_share_a_replica_up_to_its_concurrency_and_then_start_another(serve):
    serve.deploy_echo("echo", scale={"min": 0, "max": 2, "concurrency": 1})
    calls = [in_background(serve.app, "echo", "/sleep?ms=2500") for _ in range(3)]
    wait_until(lambda: serve.states("echo").count("ready") == 2, "a second replica is ready")
    assert [call.result().status for call in calls] == [200, 200, 200]
    assert len(serve.live_replicas("echo")) <= 2


def test_a_full_queue_says_so_at_once(serve):
    serve.deploy_echo("echo", scale={"min": 0, "max": 1, "concurrency": 1}, queue={"max": 2, "wait": "30s"})
    serve.app("echo")
    calls = [in_background(serve.app, "echo", "/sleep?ms=1500") for _ in range(6)]
    replies = [call.result() for call in calls]
    refused = [reply for reply in replies if reply.status == 429]
    assert len(refused) == 3 and [r.status for r in replies].count(200) == 3
    assert refused[0].headers["retry-after"] and refused[0].json["code"] and refused[0].json["detail"]


def test_waiting_too_long_is_answered_with_503(serve):
    serve.deploy_echo("echo", scale={"min": 0, "max": 1, "concurrency": 1}, queue={"max": 10, "wait": "1s"})
    serve.app("echo")
    slow = in_background(serve.app, "echo", "/sleep?ms=4000")
    wait_until(lambda: serve.replicas("echo")[0]["in_flight"] == 1, "the slot is taken")
    reply = serve.app("echo")
    assert reply.status == 503 and reply.headers["retry-after"]
    assert slow.result().status == 200


def test_the_timeout_of_a_request_does_not_count_the_cold_start(serve):
    serve.deploy("slow", ["python3", "slow_ready.py", "3"], ["slow_ready.py"], ready="/health", timeout="2s")
    assert serve.app("slow").status == 200
