"""idle: what a platform costs that nobody calls: 1,000 deployed apps, memory and processor time of platform and keeper."""
import os
import statistics
import time
from pathlib import Path

from measuring import progress, progress_done, row
from serving import Serve, find_binary

APPS = 1000
APPS_QUICK = 50
WINDOW_S = 5
WINDOWS = 6
RSS_MIB_MAX = 100
CPU_PERCENT_MAX = 1.0


def deploy_many(serve, count):
    for number in range(count):
        progress(f"idle: deploying {number + 1} of {count}")
        file = f'name: idle-{number}\ncommand: [sh, -c, "exec sleep 3600"]\n'
        reply = serve.api("POST", "/deploy", {"file": file, "file_name": "kelvin.yaml", "folder": [], "model_name": None,
                                              "model_is_folder": False, "model": []})
        assert reply.status == 200, reply.text


def resident_mib(pids):
    total_kib = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                total_kib += int(line.split()[1])
    return total_kib / 1024


def processor_s(pids):
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(is_quick=False):
    count = APPS_QUICK if is_quick else APPS
    serve = Serve(find_binary("release"))
    try:
        serve.start()
        deploy_many(serve, count)
        pids = [serve.process.pid] + ([serve.keeper_pid()] if serve.keeper_pid() else [])
        time.sleep(2)  # what the deploys set in motion comes to rest
        memory, processor = [], []
        for window in range(WINDOWS):
            progress(f"idle: window {window + 1} of {WINDOWS}")
            before, began = processor_s(pids), time.monotonic()
            time.sleep(WINDOW_S)
            processor.append(100 * (processor_s(pids) - before) / (time.monotonic() - began))
            memory.append(resident_mib(pids))
    finally:
        progress_done()
        serve.destroy()
    return [row(f"resident memory with {count} idle apps, platform and keeper", memory, "MiB", value=max(memory),
                target=RSS_MIB_MAX),
            row(f"processor time with {count} idle apps, platform and keeper", processor, "% of one core",
                value=statistics.mean(processor), target=CPU_PERCENT_MAX)]
