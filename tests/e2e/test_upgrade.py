"""test_upgrade: the binary is replaced under load. No request fails: not the ones that run (streams, an upload), not the
ones that wait, not the next one on a kept connection; and every second of work is billed exactly once.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from busy_time import recompute_ms
from serving import PROGRAMS, in_background, is_zombie, wait_until

sys.path.insert(0, str(PROGRAMS))

from collector import Collector  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture
def other_binary(binary, tmp_path):
    """A copy stands for the next version: another file, another inode."""
    copy = tmp_path / "kelvin-next"
    shutil.copy(binary, copy)
    copy.chmod(0o755)
    return copy


def script(path, text):
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)
    return path


def upgrade(serve, binary, *more, code=0):
    return serve.cli("upgrade", "--binary", str(binary), *more, code=code, timeout=240)


def host_of(serve, app):
    return {"Host": f"{app}.localhost:{serve.port}"}


class Load:
    """Clients of several kinds, each on a thread of its own, until the end of the block; `failures` says what broke."""

    def __init__(self, serve):
        self.serve, self.failures, self.answered = serve, [], 0
        self.lock, self.stopping, self.threads = threading.Lock(), threading.Event(), []

    def __enter__(self):
        for number in range(3):
            self.begin(self.keep_alive, "quick", f"/sleep?ms={5 + 20 * number}")
        self.begin(self.one_shot, "quick", "/sleep?ms=30")
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)

    def begin(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def note(self, what, answered):
        with self.lock:
            self.answered += 1
            if not answered:
                self.failures.append(what)

    def keep_alive(self, app, path):
        """One connection, used again for as long as the server keeps it. A kept one that breaks is a failure."""
        connection = http.client.HTTPConnection("127.0.0.1", self.serve.port, timeout=60)
        while not self.stopping.is_set():
            try:
                connection.request("GET", path, headers=host_of(self.serve, app))
                reply = connection.getresponse()
                reply.read()
                self.note(("kept", reply.status), reply.status == 200)
            except (OSError, http.client.HTTPException) as problem:
                self.note(("kept", repr(problem)), False)
                connection.close()
            self.stopping.wait(0.01)
        connection.close()

    def one_shot(self, app, path):
        """At its own rhythm, whether or not earlier requests were answered."""
        while not self.stopping.is_set():
            self.begin(self.call_once, app, path)
            self.stopping.wait(0.05)

    def call_once(self, app, path):
        try:
            reply = self.serve.app(app, path)
            self.note(("once", reply.status), reply.status == 200)
        except (OSError, http.client.HTTPException) as problem:
            self.note(("once", repr(problem)), False)


def stream(serve, app, events, gap_ms):
    reply = serve.app(app, f"/stream?n={events}&gap={gap_ms}", timeout=120)
    return [line for line in reply.text.split("\n") if line]


def slow_upload(serve, app, pieces, pause):
    """A body in pieces; the whole of it comes back."""
    piece = os.urandom(1 << 20)
    with socket.create_connection(("127.0.0.1", serve.port), timeout=120) as wire:
        head = f"POST / HTTP/1.1\r\nHost: {app}.localhost\r\nContent-Length: {pieces * len(piece)}\r\n\r\n"
        wire.sendall(head.encode())
        for _ in range(pieces):
            wire.sendall(piece)
            time.sleep(pause)
        reply = http.client.HTTPResponse(wire)
        reply.begin()
        return reply.status == 200 and reply.read() == piece * pieces


def wait_for_usage(serve, log, apps):
    for app in apps:
        serve.cli("delete", app, "--yes")
    wait_until(lambda: not [r for r in serve.replicas() if r["state"] != "gone"], "every replica is gone")

    def both():
        expected = recompute_ms(log.read_text().splitlines())
        return {app: expected.get(app, 0) for app in apps}, {app: serve.usage_ms(app, "busy") for app in apps}

    wait_until(lambda: both()[0] == both()[1], f"recomputed and metered agree: {both()}", patience=30, pause=1)
    return both()[0]


def test_no_request_fails_over_two_upgrades_and_all_work_is_billed_once(make_serve, other_binary, binary, tmp_path):
    log = tmp_path / "requests.jsonl"
    serve = make_serve(options=["--access-log", str(log), "--slots", "8"])
    serve.deploy_echo("quick", scale={"min": 1, "max": 2, "concurrency": 8}, wait=True)
    serve.deploy_echo("long", scale={"min": 0, "max": 1, "concurrency": 8}, wait=True)
    serve.deploy_echo("queue", scale={"min": 0, "max": 1, "concurrency": 1}, wait=True)
    serve.deploy("slow", ["python3", "slow_ready.py", "8"], ["slow_ready.py"], ready="/health")
    pids = [serve.platform_pid()]
    with Load(serve) as load:
        for binary_of_round in (other_binary, binary):
            first = in_background(stream, serve, "long", 30, 300)
            upload = in_background(slow_upload, serve, "long", 16, 0.4)
            queued = [in_background(serve.app, "queue", "/sleep?ms=900") for _ in range(5)]
            cold = in_background(serve.app, "slow", "/") if binary_of_round is other_binary else None
            wait_until(lambda: [r for r in serve.replicas("long") if r["in_flight"] >= 2], "stream and upload run")
            upgrade(serve, binary_of_round)
            pids.append(serve.platform_pid())
            after = in_background(stream, serve, "long", 5, 100)
            assert first.result(120) == [f"data: {n}" for n in range(30)]
            assert after.result(120) == [f"data: {n}" for n in range(5)]
            assert upload.result(120)
            assert [one.result(120).status for one in queued] == [200] * 5
            assert cold is None or cold.result(120).status == 200
            wait_until(lambda: serve.api("GET", "/upgrade").json["stage"] == "done", "the process before has ended",
                       patience=150)
            assert is_zombie(pids[-2])
    assert not load.failures, load.failures[:5]
    assert load.answered > 100
    assert len(set(pids)) == 3
    busy = wait_for_usage(serve, log, ["quick", "long", "queue", "slow"])
    assert min(busy[app] for app in ("quick", "long", "queue")) > 1000


def test_a_binary_that_is_broken_leaves_the_platform_as_it_was(serve, binary, tmp_path):
    serve.deploy_echo("echo", wait=True)
    replica = serve.live_replicas("echo")[0]
    before = serve.api("GET", "/status").json
    broken = {
        script(tmp_path / "ends", "exit 3"): "it ended with status 3",
        script(tmp_path / "is-older", "sleep 0.2; kill -9 $$"): "it ended by signal 9",
        Path("/etc/passwd"): "cannot be executed",
        tmp_path / "absent": "No such file",
    }
    for path, why in broken.items():
        said = upgrade(serve, path, code=1).stderr
        assert why in said, said
        assert serve.app("echo").status == 200
    now = serve.api("GET", "/status").json
    assert (now["pid"], now["epoch"]) == (before["pid"], before["epoch"])
    assert serve.live_replicas("echo")[0]["pid"] == replica["pid"]
    with Load(serve) as load:
        serve.deploy_echo("quick", wait=True)
        # It says hello, is given everything, and then cannot open its access log.
        half = script(tmp_path / "half", f'exec {binary} "$@" --access-log /nowhere/requests.jsonl')
        said = upgrade(serve, half, code=1).stderr
        assert "could not take over" in said and "/nowhere/requests.jsonl" in said, said
        load.failures.clear()  # before the deploy there was no such app
        time.sleep(1)
    assert not load.failures, load.failures[:5]
    now = serve.api("GET", "/status").json
    assert now["pid"] == before["pid"] and now["epoch"] > before["epoch"]
    assert serve.live_replicas("echo")[0]["pid"] == replica["pid"]
    assert serve.stop() == 0


def begin_draining(serve, other_binary):
    """A stream that holds the only slot of its app, in a process that only drains. Returns it and both pids."""
    serve.deploy_echo("one", scale={"min": 0, "max": 1, "concurrency": 1}, wait=True)
    before = serve.platform_pid()
    running = in_background(stream, serve, "one", 600, 100)
    wait_until(lambda: serve.replicas("one")[0]["in_flight"] == 1, "the stream runs")
    upgrade(serve, other_binary)
    return running, before, serve.platform_pid()


def test_a_killed_process_that_drained_gives_its_slots_back(make_serve, other_binary, tmp_path):
    log = tmp_path / "requests.jsonl"
    serve = make_serve(options=["--access-log", str(log)])
    running, before, after = begin_draining(serve, other_binary)
    assert serve.replicas("one")[0]["in_flight"] == 1
    waiting = in_background(serve.app, "one", "/")
    again = upgrade(serve, other_binary, code=5)
    assert f"pid {before}" in again.stderr
    os.kill(before, signal.SIGKILL)
    assert waiting.result().status == 200
    with pytest.raises(Exception):
        running.result()
    wait_until(lambda: serve.replicas("one")[0]["in_flight"] == 0, "no slot is held")
    assert serve.platform_pid() == after
    serve.park("one")
    assert serve.app("one").status == 200
    assert serve.api("GET", "/upgrade").json["stage"] == "done"
    serve.cli("delete", "one", "--yes")
    wait_until(lambda: not serve.replicas(), "the replica is gone")
    # What the killed process had not reported is not billed; what it had is billed once.
    known = recompute_ms(log.read_text().splitlines()).get("one", 0)
    assert serve.usage_ms("one", "busy") >= known


def test_when_the_process_that_took_over_is_killed_the_other_ends_and_the_next_start_adopts(make_serve, other_binary):
    serve = make_serve()
    running, before, after = begin_draining(serve, other_binary)
    replica = serve.replicas("one")[0]["pid"]
    os.kill(after, signal.SIGKILL)
    serve.process.wait(30)
    with pytest.raises(Exception):
        running.result()
    assert is_zombie(before)
    serve.start()
    adopted = serve.replicas("one")[0]
    assert (adopted["pid"], adopted["in_flight"]) == (replica, 0)
    assert serve.app("one").status == 200
    assert serve.stop() == 0


def test_sigterm_to_the_process_that_took_over_ends_both(make_serve, other_binary):
    serve = make_serve(options=["--drain", "3s"])
    running, before, after = begin_draining(serve, other_binary)
    os.kill(after, signal.SIGTERM)
    wait_until(lambda: is_zombie(after), "the process that took over ends")
    serve.process.wait(30)
    with pytest.raises(Exception):
        running.result()
    assert is_zombie(before)
    # A replica that was still at work is left to the next start, as after every SIGTERM whose time ran out.
    serve.start()
    assert serve.app("one").status == 200
    assert serve.stop() == 0


def test_both_processes_log_and_trace_what_they_answered(make_serve, other_binary, tmp_path):
    log = tmp_path / "requests.jsonl"
    collector = Collector()
    serve = make_serve(options=["--access-log", str(log), "--otlp", collector.url])
    serve.deploy_echo("echo", scale={"min": 1, "max": 1, "concurrency": 4}, wait=True)
    running = in_background(stream, serve, "echo", 40, 100)
    wait_until(lambda: serve.replicas("echo")[0]["in_flight"] == 1, "the stream runs")
    upgrade(serve, other_binary)
    assert serve.app("echo", "/headers").status == 200
    token = {"Authorization": "Bearer " + serve.token}
    wait_until(lambda: "\nkelvin_draining_connections 1\n" in serve.get("/metrics", token).text, "the draining one is seen")
    assert running.result() == [f"data: {n}" for n in range(40)]
    wait_until(lambda: serve.api("GET", "/upgrade").json["stage"] == "done", "the process before has ended")
    assert "\nkelvin_draining_connections 0\n" in serve.get("/metrics", token).text
    # The one that ended wrote and sent everything before that; the other one does so soon.
    wait_until(lambda: len(log.read_text().splitlines()) == 2, "both are in the log")
    assert sorted(json.loads(line)["path"] for line in log.read_text().splitlines()) == ["/headers", "/stream"]
    wait_until(lambda: len([span for span in collector.spans if span["kind"] == 2]) == 2, "both are traced")
    assert not collector.problems, collector.problems
    instance = {span["attributes"]["url.path"]: span["instance"] for span in collector.spans if span["kind"] == 2}
    assert set(instance) == {"/headers", "/stream"} and len(set(instance.values())) == 2
    collector.close()


def test_requests_finish_within_the_drain_time_at_sigterm(make_serve):
    serve = make_serve(options=["--drain", "20s"])
    serve.deploy_echo("echo", wait=True)
    running = in_background(stream, serve, "echo", 10, 300)
    wait_until(lambda: serve.replicas("echo")[0]["in_flight"] == 1, "the stream runs")
    assert serve.stop() == 0
    assert running.result() == [f"data: {n}" for n in range(10)]
