#!/usr/bin/env python3
"""instructions: how many instructions one step of control takes, by what happened, counted by callgrind.

    bench/control/instructions.py --program PATH    compares with instructions.json beside this file; what ctest runs

The program is `steps`, built without sanitizers. Callgrind finds nearly the same numbers on every machine and under every load. More
than TOLERANCE above a committed number fails; KELVIN_ACCEPT=1 commits what was found.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOLERANCE = 1.15
COMMITTED = Path(__file__).resolve().parent / "instructions.json"
# (what stands before each kind, options of `steps`)
COURSES = (("", ["--nodes", "100", "--cpus", "16", "--apps", "100"]),
           ("crowded, ", ["--crowded", "--nodes", "20", "--cpus", "16", "--apps", "50"]))


def count(program, options):
    """{kind: instructions per step}. Valgrind 3.19 cannot read what clang-19 writes about source lines, so that is left out of the copy
    that runs.
    """
    with tempfile.TemporaryDirectory(prefix="kelvin-bench-") as folder:
        plain, profile = Path(folder) / "steps", Path(folder) / "profile"
        subprocess.run(["llvm-strip-19", "--strip-debug", "-o", plain, program], check=True)
        command = ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={profile}", plain, *map(str, options)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        steps = {one["kind"]: one["steps"] for one in map(json.loads, done.stdout.splitlines())}
        found = {}
        for file in sorted(Path(folder).glob("profile.*")):
            text = file.read_text(encoding="utf-8", errors="replace")
            kind = re.search(r"(?m)^desc: Trigger: Client Request: (.*)$", text)
            total = re.search(r"(?m)^(?:totals|summary): (\d+)", text)
            if kind and total and steps.get(kind.group(1)):
                found[kind.group(1)] = int(total.group(1)) / steps[kind.group(1)]
    return {kind: found[kind] for kind in steps if kind in found}


def count_all(program):
    return {prefix + kind: round(number) for prefix, options in COURSES for kind, number in count(program, options).items()}


def compare(found, committed):
    """What is wrong, a line each."""
    problems = [f"{kind}: no committed number" for kind in found if kind not in committed]
    problems += [f"{kind}: was not counted" for kind in committed if kind not in found]
    for kind in sorted(found.keys() & committed.keys()):
        if found[kind] > TOLERANCE * committed[kind]:
            problems.append(f"{kind}: {found[kind]} instructions a step, {committed[kind]} are committed")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    if missing := [name for name in ("valgrind", "llvm-strip-19") if shutil.which(name) is None]:
        sys.exit(f"instructions: {missing[0]} is not installed; run tools/setup")
    found = count_all(options.program)
    if os.environ.get("KELVIN_ACCEPT") == "1":
        COMMITTED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"instructions: wrote {len(found)} numbers")
        return 0
    problems = compare(found, json.loads(COMMITTED.read_text(encoding="utf-8")))
    for problem in problems:
        print(f"instructions: {problem}", file=sys.stderr)
    if problems:
        print("instructions: make it as cheap as it was, or commit what it costs with KELVIN_ACCEPT=1 and say why", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
