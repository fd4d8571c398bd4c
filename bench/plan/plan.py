"""plan: how long `kelvin plan` takes, and how much memory: a day of a platform with 10,000 apps and a million requests.

The traffic is drawn with a seed: apps are called as often as their rank says (the n-th a share of 1/n), half of the requests come in
bursts within a second, services last a second on average. Each policy is replayed: Kelvin at four urgencies and every rule beside it.
"""
import bisect
import itertools
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

from measuring import progress, progress_done, row
from serving import find_binary

APPS, REQUESTS = 10_000, 1_000_000
APPS_QUICK, REQUESTS_QUICK = 100, 10_000
ROUNDS = 3
DAY_S = 24 * 3600
SECONDS_MAX, MEMORY_MIB_MAX = 60, 2048


def draw(apps, requests):
    """(end, app, seconds of service) of each request, by its end."""
    chance = random.Random(1)
    ranks = list(itertools.accumulate(1 / (1 + app) for app in range(apps)))
    found = []
    # Every app is called once; the others by rank.
    for app in range(apps):
        found.append((chance.uniform(0, DAY_S), app))
    while len(found) < requests:
        app = bisect.bisect_left(ranks, chance.uniform(0, ranks[-1]))
        at = chance.uniform(0, DAY_S)
        burst = chance.randint(2, 20) if chance.random() < 0.08 else 1
        found += [(at + chance.random(), app) for _ in range(burst)]
    calls = [(at, app, chance.expovariate(1)) for at, app in found[:requests]]
    return sorted((at + service, app, service) for at, app, service in calls)


def write(path, calls):
    """In the format of the Azure Functions trace of 2021."""
    with path.open("w", encoding="ascii") as file:
        file.write("app,func,end_timestamp,duration\n")
        file.writelines(f"app{app},f,{end:.3f},{service:.3f}\n" for end, app, service in calls)


def replay(binary, trace):
    """(seconds, MiB at most) of one run."""
    began = time.monotonic()
    with subprocess.Popen([binary, "plan", "--trace", trace, "--start-time", "10s", "--json"], stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"kelvin plan ended with status {process.returncode}")
    return time.monotonic() - began, used.ru_maxrss / 1024


def measure(is_quick=False):
    binary = find_binary("release")
    apps, requests = (APPS_QUICK, REQUESTS_QUICK) if is_quick else (APPS, REQUESTS)
    found = []
    try:
        with tempfile.TemporaryDirectory(prefix="kelvin-bench-") as folder:
            trace = Path(folder) / "trace.csv"
            progress("plan: drawing the trace")
            write(trace, draw(apps, requests))
            for number in range(1 if is_quick else ROUNDS):
                progress(f"plan: round {number + 1} of {ROUNDS}")
                found.append(replay(binary, trace))
    finally:
        progress_done()
    name = f"{requests:,} requests over {apps:,} apps and 24 h, every policy"
    seconds, memory = [one[0] for one in found], [one[1] for one in found]
    return [row(f"{name}: time", seconds, "s", target=SECONDS_MAX),
            row(f"{name}: memory at most", memory, "MiB", target=MEMORY_MIB_MAX)]
