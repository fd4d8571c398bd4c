"""watch: the platform from outside: its memory and descriptors, what the sanitizers wrote, and what is left at the end."""
import asyncio
import json
import os
import statistics
import time
from pathlib import Path

from busy_time import recompute_ms
from serving import Serve, processes_with

SAMPLE_EVERY_S = 5
GROWTH_RATIO_MAX = 1.05
GROWTH_MIB_MAX = 8
DESCRIPTORS_MAX = 2  # more than before the load, once it is over


class SanitizedServe(Serve):
    """A platform whose sanitizers write to files: REPORTS/report.PID, of its keeper and of the CLI as well."""

    def __init__(self, binary, reports, **options):
        super().__init__(binary, **options)
        self.reports = Path(reports)

    @property
    def environment(self):
        path = self.reports / "report"
        return {**super().environment,
                # What ASan itself keeps would look like growth: freed memory set aside (256 MiB, and 1 MiB a thread), and
                # frames on stacks of its own, which find uses after return; ./test runs with both as they are.
                "ASAN_OPTIONS": f"log_path={path}:detect_leaks=1:quarantine_size_mb=8:thread_local_quarantine_size_kb=64:"
                                "detect_stack_use_after_return=0:malloc_context_size=12",
                "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={path}",
                "TSAN_OPTIONS": f"log_path={path}:halt_on_error=0:second_deadlock_stack=1"}


class Memory:
    """Resident MiB of one process, every five seconds."""

    def __init__(self, pid):
        self.pid, self.samples = pid, []

    async def run(self, until):
        while not until.is_set():
            self.samples.append(resident_mib(self.pid))
            try:
                await asyncio.wait_for(until.wait(), SAMPLE_EVERY_S)
            except asyncio.TimeoutError:
                pass

    def quarters(self):
        """(median of the second quarter, of the last one)."""
        size = max(1, len(self.samples) // 4)
        return statistics.median(self.samples[size:2 * size]), statistics.median(self.samples[-size:])

    def most(self):
        """Of the last quarter's median, for memory that is flat."""
        return self.quarters()[0] * GROWTH_RATIO_MAX + GROWTH_MIB_MAX


def resident_mib(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def sanitizer_reports(folder):
    """The text of every report that is not empty."""
    texts = [file.read_text(errors="replace") for file in sorted(Path(folder).iterdir())]
    return [text for text in texts if text.strip()]


def is_sanitized(binary, preset):
    """A build without sanitizers would report nothing, whatever happens. The preset release has none."""
    return {"dev": b"__asan_init", "tsan": b"__tsan_init", "release": b""}[preset] in Path(binary).read_bytes()


def wait_for(condition, patience):
    """The last value of condition(): true as soon as it is."""
    until = time.monotonic() + patience
    while not (value := condition()) and time.monotonic() < until:
        time.sleep(0.2)
    return value


class Closing:
    """The end of a soak: each check is one line of the table, and a violation when it fails."""

    def __init__(self, serve, account, descriptors_before):
        self.serve, self.account, self.before = serve, account, descriptors_before
        self.lines = []  # (claim, found, most allowed, is met)

    def check(self, claim, found, is_met, target=0):
        self.lines.append((claim, found, target, bool(is_met)))
        if not is_met:
            self.account.violate(f"{claim}: {found}")

    def slots(self):
        taken = lambda: sum(r["in_flight"] for r in self.serve.replicas())
        is_free = wait_for(lambda: taken() == 0, 30)
        self.check("slots still taken after the load", taken(), is_free)

    def handles(self):
        more = lambda: descriptors(self.serve.process.pid) - self.before
        is_back = wait_for(lambda: more() <= DESCRIPTORS_MAX, 40)
        self.check("descriptors more than before the load", more(), is_back, DESCRIPTORS_MAX)

    def replicas(self, names):
        for name in names:
            self.serve.cli("delete", name, "--yes", code=None)
        left = lambda: [r for r in self.serve.replicas() if r["state"] != "gone"]
        is_empty = wait_for(lambda: not left(), 90)
        self.check("replicas left after every app was deleted", len(left()), is_empty)

    def usage(self, access_log, names):
        def both():
            lines = access_log.read_text(encoding="utf-8").splitlines()
            dropped = sum(json.loads(line)["dropped"] for line in lines if "dropped" in json.loads(line))
            kept = [line for line in lines if "dropped" not in json.loads(line)]
            expected = recompute_ms(kept)
            return {name: expected.get(name, 0) for name in names}, self.metered(names), dropped

        wait_for(lambda: both()[0] == both()[1], 40)
        expected, found, dropped = both()
        self.check("lines that the access log dropped", dropped, dropped == 0)
        self.check("busy ms by `kelvin usage` less those recomputed from the access log",
                   sum(found.values()) - sum(expected.values()), found == expected)
        return sum(found.values())

    def metered(self, names):
        found = dict.fromkeys(names, 0)
        for entry in self.serve.json("usage")["sums"]:
            if entry["phase"] == "busy" and entry["app"] in found:
                found[entry["app"]] += entry["total_ms"]
        return found

    def stop(self):
        status = self.serve.stop(patience=120)
        self.check("exit status of serve after SIGTERM", status, status == 0)
        left = lambda: processes_with(str(self.serve.data))
        is_empty = wait_for(lambda: not left(), 30)
        self.check("processes left after the end", len(left()), is_empty)
