"""test_explain: kelvin explain says of apps, requests and replicas why they wait, started, are warm, were parked, evicted or not placed.

Each test reads what a person would read, without its line breaks.
"""
import pytest

from serving import Serve, in_background, wait_until


@pytest.fixture(scope="module")
def platform(binary):
    serve = Serve(binary, options=["--slots", "2"])
    try:
        serve.start()
        yield serve
    finally:
        serve.destroy()


@pytest.fixture(autouse=True)
def clean(platform):
    yield
    for app in platform.api("GET", "/apps").json["apps"]:
        platform.cli("delete", app["name"], "--yes")
    wait_until(lambda: platform.replicas() == [], "nothing is left for the next test")


def explain(platform, subject):
    return " ".join(platform.cli("explain", subject).stdout.split())


def one_replica(platform, app):
    replicas = platform.live_replicas(app)
    assert len(replicas) == 1, replicas
    return replicas[0]["id"]


def test_why_a_replica_started_and_where_it_was_placed(platform):
    platform.deploy_echo("asked", scale={"min": 0, "max": 1, "concurrency": 3})
    reply = platform.app("asked")
    assert reply.status == 200
    replica = one_replica(platform, "asked")
    for subject in ("asked", replica):
        text = explain(platform, subject)
        assert "starts because: 1 request waiting, 0 slots promised, 3 slots per replica, 0 of at most 1 replicas" in text
        assert "placed on " in text and "the only node that fits" in text
        assert "ready after " in text
    request = explain(platform, reply.headers["kelvin-request-id"])
    assert "is one of 1 that wait: 0 ready, 0 on the way, 0 parked" in request
    assert f"given to {replica} after waiting " in request and "(it was cold)" in request


def test_until_when_it_stays_warm_and_what_comes_then(platform):
    platform.deploy_echo("idle", scale={"min": 0, "max": 1, "urgency": "strict"}, park="never")
    assert platform.app("idle").status == 200
    text = explain(platform, one_replica(platform, "idle"))
    assert " of idle@1: ready for " in text and "Next, in " in text
    assert "it is stopped then unless a request comes: waking takes " in text and "urgency 100" in text


def test_why_it_was_parked_and_for_how_long(platform):
    platform.deploy_echo("rests", scale={"min": 0, "max": 1})
    assert platform.app("rests").status == 200
    wait_until(lambda: platform.states("rests") == ["parked"], "it is parked")
    text = explain(platform, one_replica(platform, "rests"))
    assert "rests@1: parked for " in text and "parked after being idle for " in text and " from parked and " in text
    assert "Next, in " in text and "it is stopped then unless a request comes" in text


def test_what_min_keeps(platform):
    platform.deploy_echo("kept", scale={"min": 1, "max": 1})
    wait_until(lambda: platform.states("kept") == ["ready"], "it is ready")
    text = explain(platform, "kept")
    assert "Kept warm: min is 1" in text and "Next: it stays warm: min is 1" in text
    assert "starts because: min is 1; 0 ready or on the way" in text


def test_why_it_was_evicted(platform):
    platform.deploy_echo("first", cpu=2, park="never", scale={"min": 0, "max": 1, "urgency": "strict"})
    assert platform.app("first").status == 200
    victim = one_replica(platform, "first")
    platform.deploy_echo("second", cpu=2, scale={"min": 0, "max": 1})
    assert platform.app("second").status == 200
    text = explain(platform, victim)
    assert "stopped because second waits for what it holds; idle for " in text and "its loss is the smallest" in text


def test_why_it_is_not_placed(platform):
    platform.deploy_echo("holds", cpu=2, scale={"min": 0, "max": 1, "concurrency": 1})
    assert platform.app("holds").status == 200
    working = in_background(platform.app, "holds", "/sleep?ms=15000", timeout=60)
    wait_until(lambda: platform.replicas("holds")[0]["in_flight"] == 1, "it works")
    platform.deploy_echo("late", cpu=1, scale={"min": 0, "max": 1})
    waiting = in_background(platform.app, "late", timeout=60)
    wait_until(lambda: platform.live_replicas("late") != [], "its start is planned")
    text = explain(platform, one_replica(platform, "late"))
    assert "not enough free accelerators (0 of 2 free, 1 cpu wanted)" in text and "Next: it starts once it has accelerators" in text
    app = explain(platform, "late")
    assert "1 request waits: replica " in app and "waits for accelerators" in app
    assert working.result().status == 200 and waiting.result().status == 200


def test_why_it_can_never_be_placed(platform):
    platform.deploy_echo("huge", cpu=64, scale={"min": 0, "max": 1})
    reply = platform.app("huge")
    assert reply.status == 503 and reply.json["code"] == "no_accelerator"
    text = explain(platform, "huge")
    assert "no node can ever hold a replica of huge" in text and "64 cpu wanted" in text and "add a node" in text


def test_why_it_fails_and_when_it_is_tried_again(platform):
    platform.deploy("broken", ["sh", "exits_at_once.sh"], ["exits_at_once.sh"], start={"attempts": 2}, scale={"max": 1})
    assert platform.app("broken").status == 503
    text = explain(platform, "broken")
    assert "broken: failing" in text and "2 starts in a row failed" in text and "status 3" in text and "next try in " in text
    assert "start 1 of 2 failed" in text and "the next start is tried at a request in 30 s or later" in text


def test_why_a_replica_went(platform):
    platform.deploy_echo("leaves", scale={"min": 0, "max": 1})
    assert platform.app("leaves").status == 200
    replica = one_replica(platform, "leaves")
    platform.deploy_echo("leaves", scale={"min": 0, "max": 2})
    assert platform.app("leaves").status == 200
    wait_until(lambda: replica not in [r["id"] for r in platform.replicas("leaves")], "the old one is gone")
    text = explain(platform, replica)
    assert "revision 2 is ready" in text and "gone from stopping" in text
    assert "revision 2 takes over from revision 1 when it is ready" in explain(platform, "leaves")
