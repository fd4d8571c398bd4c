"""gateway: Kelvin's data plane beside nginx, haproxy and Envoy, all in front of one upstream, in one run, in turns.

The proxy has one core, the clients and the upstream another. Work per request is what is compared first: requests per second of
processor time of the proxy's process, which a busy neighbour disturbs little, unlike requests per second. Latency is taken in an open
loop at half of the slowest proxy's highest rate; what the direct path takes in the same round is subtracted. Peers and how they are set
up: peers.py. Load tools: *.cc, with what each measures at its top. Parts: throughput, latency, streams, waiting, instructions.
"""
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import instructions  # noqa: E402  pylint: disable=wrong-import-position
import waiting  # noqa: E402  pylint: disable=wrong-import-position
from field import Field, install  # noqa: E402  pylint: disable=wrong-import-position
from measuring import progress, progress_done, row  # noqa: E402  pylint: disable=wrong-import-position
from peers import Nginx, descriptors  # noqa: E402  pylint: disable=wrong-import-position

PARTS = ("throughput", "latency", "streams", "waiting", "instructions")
ROUNDS = 5
SECONDS = 2
STREAMS = 10000
STREAMS_QUICK = 500
STREAM_SECONDS = 10
EVENTS_PER_S = 2
STREAM_KIB_MAX = 20
P99_OF_NGINX_MAX = 1.2
PEERS = ("nginx", "haproxy", "envoy")
# (name, options of the load tool)
LOADS = [("small replies, 1 connection", {"path": "/small", "connections": 1}),
         ("small replies, 32 connections", {"path": "/small", "connections": 32}),
         ("small replies, 256 connections", {"path": "/small", "connections": 256}),
         ("64 KiB replies, 32 connections", {"path": "/64k", "connections": 32}),
         ("1 MiB replies, 8 connections", {"path": "/1m", "connections": 8}),
         ("64 KiB request bodies, 32 connections", {"path": "/upload", "body": 65536, "connections": 32})]


class Length:
    """How often and how long; a quick run only shows that the bench runs."""

    def __init__(self, is_quick):
        self.rounds = 1 if is_quick else ROUNDS
        self.timing = {"seconds": 1, "warm_up": 0} if is_quick else {"seconds": SECONDS, "warm_up": 1}
        self.streams = min(STREAMS_QUICK if is_quick else STREAMS, (descriptors() - 200) // 2 // 100 * 100)
        self.stream_seconds = 2 if is_quick else STREAM_SECONDS


def in_rounds(field, what, length, sample):
    """{target: [sample of each round]}: every round takes one of each target."""
    found = {}
    for number in range(length.rounds):
        for target in field.in_turns(number):
            progress(f"gateway: {what}, round {number + 1} of {length.rounds}, {target.name}")
            found.setdefault(target.name, []).append(sample(target))
    return found


def column(samples, key):
    return [sample[key] for sample in samples]


def throughput(field, length):
    """(rows, {load: requests per second that the slowest proxy reaches})"""
    rows, slowest, errors = [], {}, {}
    for name, options in LOADS:
        found = in_rounds(field, name, length, lambda target, o=options: field.load(target, **o, **length.timing))
        per_core = {target: [s["requests"] / max(s["processor_s"], 1e-9) for s in samples] for target, samples in found.items()}
        for peer in PEERS:
            rows.append(row(f"{name}: requests per processor-second", per_core["kelvin"], "1/s", peer, per_core[peer], at_least=peer == "nginx",
                            target=middle(per_core["nginx"]) if peer == "nginx" else None))
        slowest[name] = min(middle(column(found[target], "per_second")) for target in (*PEERS, "kelvin"))
        for target, samples in found.items():
            errors[target] = errors.get(target, 0) + sum(column(samples, "errors"))
    rows.append(row("requests that failed in the runs above", [errors["kelvin"]], "requests", "nginx", [errors["nginx"]], target=0))
    return rows, slowest


def middle(samples):
    ordered = sorted(samples)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def latency(field, length, slowest):
    rows = []
    for name, options in LOADS:
        rate = max(int(slowest[name] / 2), 1)
        found = in_rounds(field, f"{name} at {rate}/s", length,
                          lambda target, o=options, r=rate: field.load(target, rate=r, **o, **length.timing))
        for quantile, key, factor in (("median", "p50_us", 1), ("p99", "p99_us", P99_OF_NGINX_MAX)):
            added = {target: [sample[key] - direct[key] for sample, direct in zip(found[target], found["direct"])] for target in found}
            for peer in PEERS:
                target = factor * middle(added["nginx"]) if peer == "nginx" else None
                rows.append(row(f"{name}, {rate}/s: added {quantile} latency", added["kelvin"], "us", peer, added[peer], target=target))
    return rows


def streams(field, length):
    what = f"{length.streams} event streams, {EVENTS_PER_S} events/s each"
    found = in_rounds(field, what, length, lambda target: field.streams(target, streams=length.streams, seconds=length.stream_seconds,
                                                                        events_per_s=EVENTS_PER_S))
    # Memory that a proxy keeps after its first streams is used again by the next ones: all are held against the first.
    memory = {target: [(s["memory_open_bytes"] - samples[0]["memory_before_bytes"]) / 1024 / length.streams for s in samples]
              for target, samples in found.items()}
    rows = []
    for quantile, key in (("median", "p50_us"), ("p99", "p99_us")):
        ours, theirs = column(found["kelvin"], key), column(found["nginx"], key)
        rows.append(row(f"{what}: {quantile} delay of an event", ours, "us", "nginx", theirs,
                        target=middle(theirs) if quantile == "p99" else None))
        rows.append(row(f"{what}: {quantile} delay of an event", ours, "us", "direct", column(found["direct"], key)))
    rows.append(row(f"{what}: resident memory per stream", memory["kelvin"], "KiB", "nginx", memory["nginx"], target=STREAM_KIB_MAX))
    rows.append(row(f"{what}: streams lost", column(found["kelvin"], "lost"), "streams", "nginx", column(found["nginx"], "lost"), target=0,
                    value=max(column(found["kelvin"], "lost"))))
    return rows


def measure(is_quick=False, parts=PARTS):
    install()
    length = Length(is_quick)
    rows = []
    try:
        if "throughput" in parts or "latency" in parts:
            with Field() as field:
                found, slowest = throughput(field, length)
                rows += found
                rows += latency(field, length, slowest) if "latency" in parts else []
        if "streams" in parts:
            with Field(peers=[Nginx]) as field:
                rows += streams(field, length)
        if "waiting" in parts:
            rows += waiting.measure(is_quick)
        if "instructions" in parts:
            progress("gateway: instructions per request, under callgrind")
            folder = Path(tempfile.mkdtemp(prefix="kelvin-bench-"))
            folder.chmod(0o755)
            rows += instructions.measure(folder, is_quick)
    finally:
        progress_done()
    return rows
