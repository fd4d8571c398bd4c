"""control: what the control plane costs: starts a second through the management API, one step by kind of event, memory per idle app.

`starts` runs the real management API over TCP and the real shell and control before 100 simulated nodes (starts.cc says what is in the
path); `steps` runs control::step alone, a batch of equal events at a time (steps.cc, course.cc). Instructions are counted by callgrind,
which finds the same number on every machine. Parts: starts, steps, instructions, idle, places.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from instructions import count  # noqa: E402  pylint: disable=wrong-import-position
from measuring import REPOSITORY, build, progress, progress_done, row  # noqa: E402  pylint: disable=wrong-import-position

PARTS = ("starts", "steps", "instructions", "idle", "places")
TOOLS = REPOSITORY / "build" / "release" / "bench" / "control"
ROUNDS = 5
NODES = 100
APPS = 10000
STARTS_PER_S = 2500
DECISION_MS_MAX = 10
PLACE_US_MAX = 1000
NODES_TO_PLACE_ON = 1000
IDLE_APPS = (10, 1000, 10000, 100000)
TICK = "Tick: nothing due"


def run(*command):
    """The JSON objects that a program prints."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def starts(is_quick):
    apps, rounds = (1000, 1) if is_quick else (APPS, ROUNDS)
    rows = []
    for by, path in (("api", "API over TCP, shell, step, simulated workers"), ("demand", "demand of a request, shell, step, simulated workers")):
        paced, fastest = [], []
        for number in range(rounds):
            progress(f"control: starts by {by}, round {number + 1} of {rounds}")
            paced += run(TOOLS / "starts", "--by", by, "--apps", apps, "--nodes", NODES, "--rate", STARTS_PER_S)
            fastest += run(TOOLS / "starts", "--by", by, "--apps", apps, "--nodes", NODES, "--rate", 0)
        what = f"{path}, {NODES} nodes, {apps} cold apps"
        rows.append(row(f"{what}: starts", [one["per_second"] for one in fastest], "1/s", target=STARTS_PER_S, at_least=True))
        for key, name in (("p50_us", "median"), ("p99_us", "p99")):
            rows.append(row(f"{what}: {name} decision at {STARTS_PER_S}/s", [one[key] / 1000 for one in paced], "ms",
                            target=DECISION_MS_MAX if key == "p99_us" else None))
        rows.append(row(f"{what}: not started", [one["apps"] - one["started"] + one["refused"] for one in paced + fastest], "apps", target=0))
        if by == "api":
            rows.append(row(f"deploys through the API, one after the other, store in memory, {apps} apps", [one["deploys_per_second"] for one in paced],
                            "1/s"))
            rows.append(row(f"resident memory per deployed app, shell, control and API, {apps} apps", [one["bytes_per_idle_app"] for one in paced],
                            "B"))
    return rows


COURSES = (("", ["--nodes", NODES, "--cpus", 16, "--apps", 1000]), ("crowded, ", ["--crowded", "--nodes", NODES, "--cpus", 16, "--apps", 200]))


def steps(is_quick):
    rows = []
    for prefix, options in COURSES:
        found = {}
        for number in range(2 if is_quick else ROUNDS):
            progress(f"control: {prefix}steps, round {number + 1}")
            for one in run(TOOLS / "steps", *options):
                found.setdefault(one["kind"], []).append(one)
        for kind, samples in found.items():
            rows.append(row(f"{prefix}{kind}", [one["ns"] for one in samples], "ns/step"))
            rows.append(row(f"{prefix}{kind}", [one["allocations"] for one in samples], "allocations/step"))
    return rows


def count_instructions(is_quick):
    rows = []
    for prefix, options in COURSES:
        progress(f"control: {prefix}instructions, under callgrind")
        options = [*options[:-1], 100] if is_quick else options
        rows += [row(f"{prefix}{kind}", [found], "instructions/step") for kind, found in count(TOOLS / "steps", options).items()]
    return rows


def idle(is_quick):
    """A tick, and an app's start, beside ever more apps that nobody calls."""
    ticks, demands = {}, {}
    for apps in IDLE_APPS[:2] if is_quick else IDLE_APPS:
        progress(f"control: {apps} idle apps, under callgrind")
        found = count(TOOLS / "steps", ["--apps", 100, "--nodes", NODES, "--cpus", 16, "--idle", apps])
        ticks[apps], demands[apps] = found[TICK], found["Demand: a cold app is started"]
    fewest = min(ticks)
    rows = [row(f"a tick with {apps} idle apps", [ticks[apps]], "instructions", f"with {fewest}", [ticks[fewest]], target=1.02 * ticks[fewest])
            for apps in ticks]
    rows += [row(f"a cold start beside {apps} idle apps", [demands[apps]], "instructions", f"beside {fewest}", [demands[fewest]]) for apps in demands]
    memory = run(TOOLS / "steps", "--memory", "--idle", APPS)
    return rows + [row(f"memory of control per idle app, {APPS} apps", [one["bytes"] for one in memory], "B")]


def places(is_quick):
    found = {}
    for _ in range(2 if is_quick else ROUNDS):
        for one in run(TOOLS / "steps", "--places", "--nodes", NODES_TO_PLACE_ON, "--apps", 100 if is_quick else 1000):
            found.setdefault(one["kind"], []).append(one["ns"] / 1000)
    return [row(f"{kind}, {NODES_TO_PLACE_ON} nodes", samples, "us", target=PLACE_US_MAX) for kind, samples in found.items()]


MEASURES = {"starts": starts, "steps": steps, "instructions": count_instructions, "idle": idle, "places": places}


def measure(is_quick=False, parts=PARTS):
    build("control_bench_tools", REPOSITORY / "bench" / "gateway" / "packages.txt")
    os.environ.setdefault("LC_ALL", "C")
    rows = []
    try:
        for part in PARTS:
            rows += MEASURES[part](is_quick) if part in parts else []
    finally:
        progress_done()
    return rows
