"""test_asking: what a request may ask for its own wait and way, and what an app's file and traffic say about the way of all."""
import contextlib
import http.client
import json
from collections import Counter

import pytest

from serving import Serve, in_background, wait_until


@pytest.fixture(scope="module")
def platform(binary):
    serve = Serve(binary, options=["--slots", "8"])
    try:
        serve.start()
        yield serve
    finally:
        serve.destroy()


def replica_of(reply):
    assert reply.status == 200, reply
    return reply.headers["kelvin-replica"]


def wait_ready(serve, app, count):
    wait_until(lambda: serve.states(app) == ["ready"] * count, f"{app} has {count} replicas")


# --- priority ----------------------------------------------------------------------------------------------------------------

def test_low_priority_starts_nothing_and_says_so(platform):
    platform.deploy_echo("lowly", scale={"min": 0, "max": 1}, queue={"wait": "1s"})
    reply = platform.app("lowly", headers={"Kelvin-Priority": "low"})
    assert reply.status == 503 and reply.json["code"] == "queue_wait_over" and "low priority" in reply.json["detail"]
    assert int(reply.headers["retry-after"]) >= 1
    assert platform.replicas("lowly") == []


def test_low_priority_is_served_by_what_runs_but_wakes_nothing(platform):
    platform.deploy_echo("lowly", scale={"min": 0, "max": 1}, queue={"wait": "1s"})
    assert platform.app("lowly").status == 200
    assert platform.app("lowly", headers={"Kelvin-Priority": "low"}).status == 200
    platform.park("lowly")
    assert platform.app("lowly", headers={"Kelvin-Priority": "low"}).status == 503
    assert platform.states("lowly") == ["parked"]


def test_low_priority_that_waits_is_served_once_somebody_else_starts_a_replica(platform):
    platform.deploy_echo("lift", scale={"min": 0, "max": 1}, queue={"wait": "1m"})
    low = in_background(platform.app, "lift", "/headers", headers={"Kelvin-Priority": "low"})
    wait_until(lambda: any("low priority" in sentence for sentence in platform.decisions("lift")), "it waits")
    assert platform.app("lift").status == 200
    reply = low.result()
    assert reply.status == 200 and "Kelvin-Priority" not in dict(map(tuple, reply.json))


def test_explain_shows_the_place_of_a_request_while_it_waits(platform):
    """Kelvin-Progress gives the request's id away before it is served."""
    platform.deploy_echo("queued", scale={"min": 0, "max": 1}, queue={"wait": "1m"})
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={"Host": "queued.localhost", "Accept": "text/event-stream",
                                                "Kelvin-Progress": "1", "Kelvin-Priority": "low"})
        reply = connection.getresponse()
        assert reply.status == 200 and reply.headers["content-type"].startswith("text/event-stream")
        assert reply.readline() == b": place 1 of 1; nothing runs, and low priority starts nothing\n"
        request = reply.headers["kelvin-request-id"]
        explained = platform.cli("explain", request).stdout
        assert f"{request} waits for a slot of queued: place 1 of 1, low priority" in explained
        assert "nothing runs, and low priority starts nothing" in explained
        assert "1 request waits" in platform.cli("explain", "queued").stdout
    wait_until(lambda: "its client left" in platform.cli("explain", request).stdout, "it waits no more")


def test_wishes_that_cannot_be_read_are_refused(platform):
    platform.deploy_echo("lowly", scale={"min": 0, "max": 1}, queue={"wait": "1s"})
    for headers in ({"Kelvin-Priority": "urgent"}, {"Kelvin-Deadline": "soon"}, {"Kelvin-Deadline": "0s"}, {"Kelvin-Replica": "that"}):
        assert platform.app("lowly", headers=headers).status == 400, headers


# --- deadline ----------------------------------------------------------------------------------------------------------------

def test_a_deadline_ends_the_wait_but_not_the_start(platform):
    platform.deploy("late", ["python3", "slow_ready.py", "2"], ["slow_ready.py"], ready="/health", scale={"min": 0, "max": 1})
    reply = platform.app("late", headers={"Kelvin-Deadline": "100ms"})
    assert reply.status == 504 and reply.json["code"] == "deadline_over" and "Kelvin-Deadline" in reply.json["detail"]
    assert int(reply.headers["retry-after"]) >= 1
    wait_ready(platform, "late", 1)
    assert platform.app("late", headers={"Kelvin-Deadline": "1m"}).status == 200


# --- a replica by name, and affinity -------------------------------------------------------------------------------------------

def test_a_replica_is_had_by_its_name_and_woken_for_it(platform):
    platform.deploy_echo("named", scale={"min": 2, "max": 2})
    wait_ready(platform, "named", 2)
    names = sorted(replica["id"] for replica in platform.live_replicas("named"))
    for name in names * 2:
        assert replica_of(platform.app("named", headers={"Kelvin-Replica": name})) == name
    platform.cli("scale", "named", "--min", "0", "--max", "2")
    platform.cli("park", "named")
    wait_until(lambda: platform.states("named") == ["parked", "parked"], "both are parked")
    for name in reversed(names):
        reply = platform.app("named", headers={"Kelvin-Replica": name})
        assert replica_of(reply) == name and reply.headers["kelvin-cold-start"] == "parked"
    assert platform.app("named", headers={"Kelvin-Replica": "r999-999"}).status == 200  # any will do


def three_replicas(platform, app, affinity):
    platform.deploy_echo(app, affinity=affinity, scale={"min": 3, "max": 3, "concurrency": 16})
    wait_ready(platform, app, 3)


def test_affinity_by_header_and_cookie_keeps_a_session_in_one_place(platform):
    for app, affinity, headers_of in [("byheader", {"header": "X-Session"}, lambda s: {"X-Session": s}),
                                      ("bycookie", {"cookie": "sid"}, lambda s: {"Cookie": f"a=b; sid={s}; c=d"})]:
        three_replicas(platform, app, affinity)
        places = {session: {replica_of(platform.app(app, headers=headers_of(session))) for _ in range(4)}
                  for session in map(str, range(24))}
        assert all(len(place) == 1 for place in places.values()), places
        assert len(set.union(*places.values())) > 1  # all in one place: once in 3^23
        platform.cli("delete", app, "--yes")


def test_affinity_by_prompt_looks_at_its_beginning_only(platform):
    three_replicas(platform, "prompted", {"prefix": 64})

    def place(beginning, end):
        body = {"model": "prompted", "messages": [{"role": "system", "content": beginning * 64}, {"role": "user", "content": end}]}
        return replica_of(platform.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}))

    places = {letter: {place(letter, end) for end in ("one", "two", "three")} for letter in "abcdefghijklmnopqrstuvwx"}
    assert all(len(found) == 1 for found in places.values()), places
    assert len(set.union(*places.values())) > 1
    platform.cli("delete", "prompted", "--yes")


# --- split traffic -------------------------------------------------------------------------------------------------------------

def word_of(platform, app, **headers):
    return platform.app(app, "/environment", headers=headers).json["environment"]["WORD"]


def test_traffic_is_drawn_by_its_shares_and_a_session_stays_with_its_revision(platform):
    for word in ("one", "two"):
        platform.deploy_echo("split", env={"WORD": word}, affinity={"header": "X-Session"}, scale={"min": 1, "max": 1, "concurrency": 16})
    platform.cli("traffic", "split", "1=50", "2=50")
    wait_ready(platform, "split", 2)
    drawn = Counter(word_of(platform, "split") for _ in range(200))
    assert set(drawn) == {"one", "two"} and 60 <= drawn["one"] <= 140, drawn  # 5.6 standard deviations
    for session in ("a", "b", "c", "d"):
        assert len({word_of(platform, "split", **{"X-Session": session}) for _ in range(5)}) == 1

    platform.cli("traffic", "split", "1=100")
    wait_ready(platform, "split", 1)
    assert {word_of(platform, "split") for _ in range(10)} == {"one"}
