"""policy: Kelvin's controller beside other platforms' rules, on traces of real traffic and made-up time.

Every trace is replayed at three start times, four urgencies, without parking and with two resume times. What counts is J =
accelerator-seconds + urgency * seconds that requests waited, up to the last reply and the policy's own idle tail; the controller and
the rules see requests only as they come. Synthetic traffic is drawn with seeds 1 to 5, and medians are compared. policy.cc replays one
trace at one start time; parts of this bench are the traces.

The traces are looked for in ../shared/traces beside the repository, or where KELVIN_TRACES says.
"""
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from measuring import REPOSITORY, build, progress, progress_done, row

TOOL = REPOSITORY / "build" / "release" / "bench" / "policy" / "policy"
STARTS_S = (2, 10, 30)
URGENCIES = (1, 5, 20, 100)
RESUMES_MS = (50, 2000)
CLIENTS = "23,20,38,53,1,70,24,56,43,17,68,49"
SEEDS = (1, 2, 3, 4, 5)


class Source(NamedTuple):
    name: str
    file: str
    options: tuple = ()
    seeds: tuple = (1,)


SOURCES = {
    "azure": Source("azure code", "azure_llm_2023/AzureLLMInferenceTrace_code.csv"),
    "mooncake": Source("mooncake", "mooncake/synthetic_trace.jsonl"),
    "functions": Source("functions 200", "azure_functions_2021_sample/Azure2021_200.csv"),
    "functions-small": Source("functions 30", "azure_functions_2021_sample/Azure2021_30.csv"),
    "r1": Source("r1 12x24 h", "servegen/reason/deepseek-r1", ("--clients", CLIENTS), SEEDS),
}
PARTS = tuple(SOURCES)

REFERENCE = "reference"
OTHERS = ("knative", "idle 60 s", "ray min 0", "ray min 1")
BESIDE = (*OTHERS, "queue delay", "idle 0 s", "idle 5 s", "idle 300 s", "idle 600 s", "reserved", "optimum")
ABOVE_REFERENCE_MAX = 1.05
OTHERS_FROM_URGENCY = 5
# Of the reference rule's J, with replicas that resume in 2 s in place of starts of 30 s.
PARKED_START_S, PARKED_RESUME_MS = 30, 2000
PARKED_R1_MAX = {1: 0.85, 5: 0.75, 20: 0.70, 100: 0.66}


def traces_folder(parts):
    folder = Path(os.environ.get("KELVIN_TRACES") or REPOSITORY.parent / "shared" / "traces")
    for part in parts:
        if not (folder / SOURCES[part].file).exists():
            sys.exit(f"bench: there is no {folder / SOURCES[part].file}: set KELVIN_TRACES to the folder that holds "
                     f"{SOURCES[part].file.split('/', maxsplit=1)[0]}/, or leave {part} out with --part")
    return folder


class Job(NamedTuple):
    part: str
    start_s: int
    seed: int


def replay(folder, job):
    """{(policy, urgency, resume in ms): what came of it} of one trace at one start time."""
    source = SOURCES[job.part]
    command = [TOOL, "--trace", folder / source.file, *source.options, "--seed", job.seed, "--cold-ms", 1000 * job.start_s,
               "--urgencies", ",".join(map(str, URGENCIES)), "--parked-ms", ",".join(map(str, RESUMES_MS))]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))}:\n{done.stderr}")
    lines = map(json.loads, done.stdout.splitlines())
    return {(line["policy"], line["urgency"], line["parked_ms"]): line for line in lines}


def replay_all(folder, jobs):
    """{job: replay(job)}, as many at once as there are cores. The longest begin first."""
    found = {}
    ordered = sorted(jobs, key=lambda job: (job.part != "r1", job.start_s))
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        running = {pool.submit(replay, folder, job): job for job in ordered}
        for done in concurrent.futures.as_completed(running):
            found[running[done]] = done.result()
            progress(f"policy: {len(found)} of {len(jobs)} replays; {running[done].part}, start {running[done].start_s} s is done")
    return found


class Cell(NamedTuple):
    part: str
    start_s: int
    urgency: int
    resume_ms: int | None

    def text(self):
        parked = "not parked" if self.resume_ms is None else f"parked, resume {self.resume_ms / 1000:g} s"
        return f"{SOURCES[self.part].name}, start {self.start_s} s, urgency {self.urgency}, {parked}"


def cells(parts):
    return [Cell(part, start_s, urgency, resume_ms) for part in parts for resume_ms in (None, *RESUMES_MS) for start_s in STARTS_S
            for urgency in URGENCIES]


def prices(outcomes, urgency):
    return [outcome["cost"] + urgency * outcome["waiting"] for outcome in outcomes]


def target_ratio(cell):
    """The most that Kelvin's J may be, as a part of the reference rule's; None where nothing is promised."""
    if cell.resume_ms is None:
        return ABOVE_REFERENCE_MAX
    if (cell.start_s, cell.resume_ms) != (PARKED_START_S, PARKED_RESUME_MS):
        return None
    return PARKED_R1_MAX[cell.urgency] if cell.part == "r1" else 1


def compare(cell, replays):
    """The rows of one cell; `replays` has one entry per seed."""
    def j(policy, urgency=None, resume_ms=None):
        return prices([one[(policy, urgency, resume_ms)] for one in replays], cell.urgency)

    kelvin = [one[("kelvin", cell.urgency, cell.resume_ms)] for one in replays]
    own, reference = prices(kelvin, cell.urgency), j(REFERENCE, cell.urgency)
    ratio = target_ratio(cell)
    first = row(f"{cell.text()}: J", own, "accelerator-s", REFERENCE, reference,
                target=None if ratio is None else ratio * statistics.median(reference))
    first["beside"] = {name: round(statistics.median(j(name)), 1) for name in BESIDE}
    first["kelvin"] = {key: round(statistics.median([one[key] for one in kelvin]), 4)
                       for key in ("cost", "waiting", "over_1s", "p99_s", "cold_starts", "resumes")}
    first["ratio_target"] = ratio
    if cell.resume_ms is not None or cell.urgency < OTHERS_FROM_URGENCY:
        return [first]
    best = min(OTHERS, key=lambda name: first["beside"][name])
    return [first, row(f"{cell.text()}: J, beside the best of Knative, idle 60 s and Ray", own, "accelerator-s", best, j(best),
                       target=statistics.median(j(best)))]


COLUMNS = (("reference", None), ("knative", "knative"), ("60 s", "idle 60 s"), ("ray 0", "ray min 0"), ("ray 1", "ray min 1"),
           ("delay", "queue delay"), ("OPT0", "optimum"))


def table(rows):
    """One line per cell: Kelvin's J in thousands, and that of each rule as a multiple of Kelvin's."""
    head = ["trace, start, urgency, parking", "J/1000", *(name for name, _ in COLUMNS), "over 1 s", "p99 s", "of reference", "at most", "met"]
    lines = [head]
    unmet = {line["claim"] for line in rows if line["met"] is False}
    for line in rows:
        if "beside" not in line:
            continue
        others = [line["peer_value"] if key is None else line["beside"][key] for _, key in COLUMNS]
        is_unmet = any(claim.startswith(line["claim"]) for claim in unmet)
        lines.append([line["claim"].removesuffix(": J"), f"{line['value'] / 1000:.1f}", *(f"{other / line['value']:.2f}" for other in others),
                      f"{100 * line['kelvin']['over_1s']:.2f} %", f"{line['kelvin']['p99_s']:.2f}", f"{line['ratio']:.3f}",
                      "-" if line["ratio_target"] is None else f"{line['ratio_target']:g}", "NO" if is_unmet else "yes"])
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def measure(is_quick=False, parts=PARTS):
    folder = traces_folder(parts)
    build("policy_bench_tools")
    jobs = [Job(part, start_s, seed) for part in PARTS if part in parts for start_s in STARTS_S
            for seed in (SOURCES[part].seeds[:1] if is_quick else SOURCES[part].seeds)]
    try:
        found = replay_all(folder, jobs)
    finally:
        progress_done()
    rows = []
    for cell in cells([part for part in PARTS if part in parts]):
        rows += compare(cell, [found[job] for job in jobs if (job.part, job.start_s) == (cell.part, cell.start_s)])
    return rows
