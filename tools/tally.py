"""tally: adds up what the parts of ./test have counted and prints the closing line.

    python tools/tally.py FOLDER

FOLDER holds what the parts left: ctest*.xml (one entry per test program), gtest/NAME.json (the cases inside it),
pytest*.xml and tidy.json. A part that left nothing counts as one failure: a test that did not run did not pass.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other):
        return Count(*(a + b for a, b in zip(self, other)))


def count_gtest(path):
    report = json.loads(path.read_text(encoding="utf-8"))
    cases = [case for suite in report["testsuites"] for case in suite["testsuite"]]
    failed = sum(1 for case in cases if case.get("failures"))
    skipped = sum(1 for case in cases if case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN")
    return Count(len(cases) - failed - skipped, failed, skipped)


def count_ctest(folder, name="ctest"):
    """Cases of every GoogleTest program; a program that died before its report, or is no GoogleTest, counts as one."""
    total = Count()
    for case in ElementTree.parse(folder / f"{name}.xml").getroot().iter("testcase"):
        report = folder / "gtest" / (case.get("name") + ".json")
        is_ok = case.get("status") == "run"
        if report.exists():
            counted = count_gtest(report)
            if not is_ok and counted.failed == 0:
                counted = counted.plus(Count(failed=1))  # a leak or a crash after the last case
        else:
            counted = Count(passed=1) if is_ok else Count(failed=1)
        total = total.plus(counted)
    return total


def count_pytest(path):
    total = Count()
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        cases, skipped = int(suite.get("tests")), int(suite.get("skipped"))
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        total = total.plus(Count(cases - skipped - failed, failed, skipped))
    return total


def count_tidy(path):
    counted = json.loads(path.read_text(encoding="utf-8"))
    return Count(counted["passed"], counted["failed"])


def count_part(name, count):
    try:
        return count()
    except (OSError, ValueError, KeyError, ElementTree.ParseError) as problem:
        print(f"tally: {name} left no report ({problem}): counted as a failure", file=sys.stderr)
        return Count(failed=1)


def main():
    folder = Path(sys.argv[1])
    parts = {"ctest": lambda: count_ctest(folder), "tidy": lambda: count_tidy(folder / "tidy.json")}
    for name in (folder / "parts").read_text(encoding="utf-8").split():
        if name.startswith("ctest-"):
            parts[name] = lambda name=name: count_ctest(folder, name)
        if name.startswith("pytest"):
            parts[name] = lambda name=name: count_pytest(folder / f"{name}.xml")
    total = Count()
    for name, count in parts.items():
        counted = count_part(name, count)
        print(f"  {name}: {counted.passed} passed, {counted.failed} failed, {counted.skipped} skipped")
        total = total.plus(counted)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
