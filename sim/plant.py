#!/usr/bin/env python3
"""plant: writes copies of the core's sources with bugs planted on purpose, for kelvin_mutants.

    python3 plant.py SOURCE OUT

SOURCE is src/, OUT the folder for the copies (the same paths below it) and for planted.cc, the list of the bugs. The
shipped sources stay as they are. Each bug replaces one piece of text; PLANTED in its stead is true while that bug is the
chosen one. A bug whose text no longer stands there exactly once is listed as unfit, and kelvin_mutants fails with its
name: then its entry below is to be brought up to date.
"""
import sys
from pathlib import Path
from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    words: str
    file: str
    text: str
    planted: str


HEAD = """extern int kelvin_planted;
[[maybe_unused]] static bool kelvin_is_planted(int bug) { return kelvin_planted == bug; }
"""
CONTROL = "core/control/"
BUGS = [
    Bug("evict_busy", "a replica is parked or stopped although it has work", CONTROL + "cooling.cc",
        "if (!event.is_closed) return close_refused(",
        "if (!event.is_closed && !PLANTED) return close_refused("),
    Bug("lose_entry_on_crash", "when a replica dies, the first of its app that waits is forgotten", CONTROL + "failures.cc",
        "  forget_replica(step, replica);\n",
        "  forget_replica(step, replica);\n"
        "  if (PLANTED) {\n"
        "    if (const auto lost = app.queue.pop()) step.world.waiting.erase(lost->request);\n"
        "  }\n"),
    Bug("bill_again_after_restart", "an adopted replica's usage begins with row 0 again", CONTROL + "recovery.cc",
        "begin_metering(step, app, replica, found.usage_sequence);",
        "begin_metering(step, app, replica, PLANTED ? 0 : found.usage_sequence);"),
    Bug("lease_back_before_death", "accelerators are given back when the stop is ordered", CONTROL + "stopping.cc",
        "  replica.stop_cause = order.cause;\n",
        "  replica.stop_cause = order.cause;\n"
        "  if (PLANTED) give_back_accelerators(step, replica);\n"),
    Bug("park_with_connections", "a replica is parked before connections to it are closed", CONTROL + "cooling.cc",
        "  step.emit(model::CloseConnections{replica.id});",
        "  if (PLANTED) {\n"
        "    replica.is_park_ordered = true;\n"
        "    step.emit(model::ParkReplica{replica.id});\n"
        "  }\n"
        "  step.emit(model::CloseConnections{replica.id});"),
    Bug("starting_is_no_capacity", "replicas on their way up do not count", CONTROL + "world.cc",
        "      census.promised += slots_of(replica);",
        "      if (!PLANTED) census.promised += slots_of(replica);"),
    Bug("slot_of_left_client", "a slot that a client has left does not count as free again", CONTROL + "demand.cc",
        "is_no_slot ? 0 : std::min(replica->free_believed + 1, slots_of(*replica));",
        "is_no_slot ? 0 : std::min(replica->free_believed + (PLANTED ? 0 : 1), slots_of(*replica));"),
    Bug("ignore_max", "one more replica than `max` allows", CONTROL + "world.cc",
        "std::min(app.replicas_max, 1U) : app.replicas_max;",
        "std::min(app.replicas_max, 1U) : app.replicas_max + (PLANTED ? 1 : 0);"),
    Bug("wait_for_ever", "nobody is refused after queue.wait", CONTROL + "demand.cc",
        "app.queue.next_deadline());",
        "PLANTED ? Instant::never() : app.queue.next_deadline());"),
    Bug("drop_refused_handover", "a request whose slot was gone is not put back", CONTROL + "demand.cc",
        "    if (is_no_slot && app != nullptr && ",
        "    if (is_no_slot && !PLANTED && app != nullptr && "),
    Bug("meter_after_gone", "the meter runs on after the end of a replica", CONTROL + "failures.cc",
        "  if (replica.is_metered) {",
        "  if (replica.is_metered && !PLANTED) {"),
    Bug("adopt_twice", "a replica that is reported twice is taken for an unknown one", CONTROL + "recovery.cc",
        "if (world.replicas.contains(found.replica) || world.strays",
        "if ((!PLANTED && world.replicas.contains(found.replica)) || world.strays"),
    Bug("low_starts", "low priority starts replicas too", CONTROL + "demand.cc",
        "count.wanting += app.queue.wanting(lane);",
        "count.wanting += PLANTED ? app.queue.size(lane) : app.queue.wanting(lane);"),
    Bug("one_key_first", "a key keeps its turn", "core/queue/round.cc",
        "  line.tag += stride(line);",
        "  if (!PLANTED) line.tag += stride(line);"),
    Bug("forget_who_parks", "who came while its replica was parked is not served", CONTROL + "replicas.cc",
        "    return serve_queue(step, app);\n  }\n  plan_resume(",
        "    return PLANTED ? void() : serve_queue(step, app);\n  }\n  plan_resume("),
    Bug("drain_for_ever", "the last slot of a draining replica goes unnoticed", CONTROL + "cooling.cc",
        "if (replica == nullptr || replica->state != State::Draining) return;",
        "if (PLANTED || replica == nullptr || replica->state != State::Draining) return;"),
    Bug("slot_entry_lost", "the slot word of a dead replica is never used again", CONTROL + "world.cc",
        "  world.slots_free.insert(replica.slot);",
        "  if (!PLANTED) world.slots_free.insert(replica.slot);"),
    Bug("ignore_shares", "who waits is served by any revision of a split", CONTROL + "demand.cc",
        "  if (app.shares.empty()) return {};\n  return {.revision = is_serving_revision(app, wanted)",
        "  if (PLANTED || app.shares.empty()) return {};\n  return {.revision = is_serving_revision(app, wanted)"),
    Bug("memory_back_when_parked", "a parked replica's memory counts as free", CONTROL + "world.cc",
        "  part.memory = {};\n",
        "  if (!PLANTED) part.memory = {};\n"),
    Bug("unbalanced_posting", "revenue is debited", "core/meter/price.cc",
        "  entry.amount = -price;",
        "  entry.amount = PLANTED ? price : -price;"),
    Bug("believe_every_lease", "a stray that was parked holds the accelerators it had before", CONTROL + "recovery.cc",
        "  if (found.state == State::Parked) lease.accelerators.clear();",
        "  if (found.state == State::Parked && !PLANTED) lease.accelerators.clear();"),
]


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def list_of_bugs(fits):
    rows = [f"    {{{c_string(bug.name)}, {c_string(bug.words)}, {'true' if fit else 'false'}}},"
            for bug, fit in zip(BUGS, fits)]
    return "\n".join(['// planted: written by sim/plant.py.', '#include "sim/planted.h"', "", "int kelvin_planted = -1;", "",
                      "namespace kelvin::sim {", "", "std::vector<PlantedBug> planted_bugs() {", "  return {", *rows,
                      "  };", "}", "", "}  // namespace kelvin::sim", ""])


def write(path, text):
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main():
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    texts = {bug.file: (source / bug.file).read_text(encoding="utf-8") for bug in BUGS}
    fits = [texts[bug.file].count(bug.text) == 1 for bug in BUGS]
    for number, (bug, fit) in enumerate(zip(BUGS, fits)):
        if fit:
            planted = bug.planted.replace("PLANTED", f"kelvin_is_planted({number})")
            texts[bug.file] = texts[bug.file].replace(bug.text, planted)
        else:
            print(f"plant: the text of {bug.name} does not stand once in {bug.file}", file=sys.stderr)
    for file, text in texts.items():
        write(out / file, HEAD + text)
    write(out / "planted.cc", list_of_bugs(fits))


if __name__ == "__main__":
    main()
