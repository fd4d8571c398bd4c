"""test_adoption: kill -9 of the platform, of the keeper, and of both, under an open-loop client.

An open-loop client sends at its own rhythm, whether or not earlier requests were answered, as the world does. What is
counted: every request that was sent ends exactly once, answered, refused or broken; what breaks are the requests that
were open at the moment of a kill, and those that found nobody listening. The running replica is found again by the next
start, with the same process, and nothing is billed twice.
"""
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from serving import wait_until

RATE_PER_S = 20


class OpenLoop:
    """Sends a request every 1 / RATE_PER_S seconds on a thread of its own and notes how each ended."""

    def __init__(self, serve, app, path="/sleep?ms=30"):
        self.serve, self.app, self.path = serve, app, path
        self.ends = []  # (began, ended, what): 200, another status, or "broken"
        self.sent = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = []
        self.pacer = threading.Thread(target=self.pace, daemon=True)

    def __enter__(self):
        self.pacer.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.pacer.join()
        for thread in self.threads:
            thread.join(60)

    def pace(self):
        next_at = time.monotonic()
        while not self.stopping.is_set():
            thread = threading.Thread(target=self.call, daemon=True)
            self.threads.append(thread)
            self.sent += 1
            thread.start()
            next_at += 1 / RATE_PER_S
            self.stopping.wait(max(0, next_at - time.monotonic()))

    def call(self):
        began = time.monotonic()
        try:
            what = self.serve.app(self.app, self.path, timeout=40).status
        except OSError:
            what = "broken"
        except Exception:  # pylint: disable=broad-except; a head cut short is a broken reply
            what = "broken"
        with self.lock:
            self.ends.append((began, time.monotonic(), what))

    def count(self, what):
        with self.lock:
            return sum(1 for _, _, end in self.ends if end == what)


def bill_rows(serve):
    """(usage rows, distinct ones, ledger sum) straight from the database file."""
    with sqlite3.connect(f"file:{serve.data}/kelvin.db?mode=ro", uri=True) as database:
        rows, distinct = database.execute(
            "SELECT COUNT(*), COUNT(DISTINCT replica || '/' || sequence) FROM usage").fetchone()
    return rows, distinct


def kill(serve, victims):
    if "keeper" in victims:
        serve.kill_keeper()
    if "platform" in victims:
        serve.kill()
        serve.start()


@pytest.mark.parametrize("victims", [["platform"], ["keeper"], ["platform", "keeper"]], ids=["platform", "keeper", "both"])
def test_running_replicas_are_adopted_and_nothing_is_billed_twice(serve, victims):
    serve.deploy_echo("echo", scale={"min": 1, "max": 1, "concurrency": 64}, queue={"max": 1000, "wait": "60s"})
    pid = int(serve.app("echo").text.split()[-1])
    began = time.monotonic()
    with OpenLoop(serve, "echo") as client:
        wait_until(lambda: client.count(200) >= 20, "the client is served")
        killed_at = time.monotonic()
        kill(serve, victims)
        back_at = time.monotonic()
        served = client.count(200)
        wait_until(lambda: client.count(200) >= served + 40, "the client is served again")
    elapsed_ms = (time.monotonic() - began) * 1000

    # Every request ended once, and only those around the kill broke.
    assert len(client.ends) == client.sent
    broken = [(b, e) for b, e, what in client.ends if what == "broken"]
    if "platform" not in victims:
        assert broken == [], "the platform lives: no client may notice"
    assert all(b <= back_at + 0.1 and e >= killed_at - 0.1 for b, e in broken)
    others = {what for _, _, what in client.ends} - {200, "broken"}
    assert not others, others

    # The same process goes on serving, and says that it was adopted.
    assert int(serve.app("echo").text.split()[-1]) == pid
    [replica] = serve.live_replicas("echo")
    assert replica["pid"] == pid and (replica["is_adopted"] or "platform" not in victims)

    # Nothing is billed twice: rows are unique, and busy time fits into the time that passed.
    wait_until(lambda: serve.usage_ms("echo", "busy") > 500, "usage is stored", patience=30)
    rows, distinct = bill_rows(serve)
    assert rows == distinct > 0
    busy_ms = serve.usage_ms("echo", "busy")
    assert busy_ms <= elapsed_ms + 2000
    assert serve.json("bill")["total_nano"] > 0


@pytest.mark.parametrize("victims", [["platform"], ["platform", "keeper"]], ids=["platform", "both"])
def test_a_parked_replica_is_found_parked_and_wakes(serve, victims):
    serve.deploy_echo("echo")
    pid = int(serve.app("echo").text.split()[-1])
    serve.park("echo")
    kill(serve, victims)
    assert serve.condition("echo") == "parked"
    assert int(serve.app("echo").text.split()[-1]) == pid


def test_a_replica_that_died_meanwhile_is_not_adopted(serve):
    import os
    import signal
    serve.deploy_echo("echo")
    pid = int(serve.app("echo").text.split()[-1])
    serve.kill_keeper()
    serve.kill()
    os.kill(pid, signal.SIGKILL)
    serve.start()
    reply = serve.app("echo")
    assert reply.status == 200 and int(reply.text.split()[-1]) != pid


def test_a_start_in_the_middle_is_not_doubled(serve):
    serve.deploy("slow", ["python3", "slow_ready.py", "4"], ["slow_ready.py"], ready="/health", scale={"min": 1, "max": 1})
    wait_until(lambda: "loading" in serve.states("slow"), "it is loading")
    serve.kill()
    serve.start()
    assert serve.app("slow").text == "ready\n"
    assert len(serve.live_replicas("slow")) == 1


def test_the_log_goes_on_while_the_platform_is_away(serve):
    import http.client
    serve.deploy_echo("echo", scale={"min": 1, "max": 1})
    serve.app("echo", "/say?text=before")
    port = serve.live_replicas("echo")[0]["port"]
    serve.kill()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/say?text=while-away")
    assert connection.getresponse().status == 200
    serve.start()
    wait_until(lambda: "while-away" in serve.cli("logs", "echo").stdout, "the keeper has kept the line")


def test_after_many_kills_one_serve_stops_cleanly(serve):
    serve.deploy_echo("echo", scale={"min": 1, "max": 1})
    pid = int(serve.app("echo").text.split()[-1])
    for victims in (["platform"], ["keeper"], ["platform", "keeper"], ["platform"]):
        kill(serve, victims)
        wait_until(lambda: serve.app("echo").status == 200, "it answers")
    assert serve.stop() == 0
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the replica is gone")
