"""test_busy: busy time recomputed from the access log by an independent program agrees with `kelvin usage` to the
millisecond. The recomputation knows two facts per request: when its first byte was sent to the replica and when the last
byte of the reply was read. Overlaps count once per replica; whole milliseconds are taken of each replica's exact union.
"""
import random
import threading
import time

import pytest

from busy_time import recompute_ms, union_ns
from serving import wait_until


def test_the_union_counts_overlaps_once():
    assert union_ns([(0, 10), (5, 12), (20, 21), (20, 21)]) == 13


def mixed_load(serve, seconds, seed):
    """Overlapping, streaming and sub-millisecond requests from several clients at once."""
    stop_at = time.monotonic() + seconds
    paths = ["/", "/bytes?n=1", "/bytes?n=300000", "/sleep?ms=7", "/sleep?ms=120", "/stream?n=8&gap=15", "/headers"]
    problems = []

    def client(number):
        chance = random.Random(seed + number)
        while time.monotonic() < stop_at:
            app = chance.choice(["one", "one", "two"])
            reply = serve.app(app, chance.choice(paths))
            if reply.status != 200:
                problems.append(reply)
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.05)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


@pytest.mark.parametrize("seed", [1])
def test_busy_time_recomputed_from_the_access_log_agrees_to_the_millisecond(make_serve, tmp_path, seed):
    log = tmp_path / "requests.jsonl"
    serve = make_serve(options=["--access-log", str(log)])
    serve.deploy_echo("one", scale={"min": 0, "max": 2, "concurrency": 2})
    serve.deploy_echo("two", scale={"min": 0, "max": 1, "concurrency": 8})
    mixed_load(serve, seconds=13, seed=seed)  # longer than one usage row
    serve.park("one")  # a park in the middle closes the rows early
    mixed_load(serve, seconds=3, seed=seed + 100)
    for app in ("one", "two"):
        serve.cli("delete", app, "--yes")
    wait_until(lambda: not [r for r in serve.replicas() if r["state"] != "gone"], "every replica is gone")

    def both():
        expected = recompute_ms(log.read_text().splitlines())
        found = {app: serve.usage_ms(app, "busy") for app in ("one", "two")}
        return expected, found

    wait_until(lambda: both()[0] == both()[1], f"recomputed and metered agree: {both()}", patience=30, pause=1)
    expected, found = both()
    assert found == expected and min(expected.values()) > 1000
    bill = {line["app"]: line["busy_ms"] for line in serve.json("bill")["lines"]}
    assert bill == expected
