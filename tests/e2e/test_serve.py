"""test_serve: the platform's own process: one per data folder, files that only it may read, a clean end."""
import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from serving import Serve, processes_with, wait_until


def run_serve(serve, *options, data=None):
    return subprocess.run([serve.binary, "serve", "--data", data or serve.data, *options], env=serve.environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)


def test_a_second_serve_on_the_same_folder_is_refused_with_the_first_ones_pid(serve):
    run = run_serve(serve, "--listen", "127.0.0.1:0")
    assert run.returncode == 5 and str(serve.process.pid) in run.stderr
    assert serve.get("/readyz").status == 200


def test_a_port_that_is_taken_is_named(serve, spare_folder):
    run = run_serve(serve, "--listen", f"127.0.0.1:{serve.port}", data=spare_folder / "other")
    assert run.returncode != 0 and str(serve.port) in run.stderr
    assert not processes_with(str(spare_folder / "other"))


def test_a_data_folder_that_cannot_be_written_is_named(serve):
    run = run_serve(serve, "--listen", "127.0.0.1:0", data="/proc/nowhere")
    assert run.returncode == 1 and "/proc/nowhere" in run.stderr


def test_port_zero_takes_a_free_port_and_writes_it_down(make_serve):
    serve = Serve(make_serve().binary)
    serve.port = 0
    try:
        serve.start(wait=False)
        written = wait_until(lambda: (serve.data / "serve.json").exists() and (serve.data / "serve.json").read_text(),
                             "serve.json is written")
        serve.port = int(json.loads(written)["listen"].rsplit(":", 1)[1])
        assert serve.port != 0 and wait_until(serve.is_ready_or_dead, "it answers")
    finally:
        serve.destroy()


def test_secrets_are_files_that_only_the_platform_may_read(serve):
    for name in ("admin-token", "kelvin.db", "serve.json"):
        assert stat.S_IMODE((serve.data / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((serve.data / "run").stat().st_mode) == 0o700
    assert serve.token.startswith("kv_") and len(serve.token) == 3 + 8 + 1 + 43


def test_sigterm_stops_everything_and_leaves_nothing_running(serve):
    serve.deploy_echo("echo", wait=True)
    pid = serve.live_replicas("echo")[0]["pid"]
    assert serve.stop() == 0
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the replica is gone")
    wait_until(lambda: not processes_with(str(serve.data)), "no process of this data folder is left")


def test_apps_keys_and_bills_outlive_a_restart(serve):
    serve.deploy_echo("echo", scale={"min": 0, "max": 3})
    serve.cli("scale", "echo", "--min", "0", "--max", "2")
    secret = serve.json("keys", "create", "kept", "--scope", "invoke")["secret"]
    assert serve.app("echo", "/sleep?ms=250").status == 200
    token = serve.token
    assert serve.stop() == 0
    serve.start()
    assert serve.token == token
    [app] = serve.json("apps")["apps"]
    assert (app["name"], app["scale"]["max"]) == ("echo", 2)
    assert serve.usage_ms("echo", "busy") >= 250
    assert serve.app("echo", headers={"Authorization": "Bearer " + secret}).status == 200


def test_a_request_during_shutdown_is_answered_before_the_end(serve):
    from serving import in_background
    serve.deploy_echo("echo", wait=True)
    slow = in_background(serve.app, "echo", "/sleep?ms=2000")
    wait_until(lambda: any(r["in_flight"] for r in serve.replicas("echo")), "it is being served")
    serve.process.send_signal(signal.SIGTERM)
    assert slow.result().status == 200
    assert serve.process.wait(60) == 0


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_both_ways_to_end_are_clean(serve, signal_number):
    serve.process.send_signal(signal_number)
    assert serve.process.wait(60) == 0
    assert "Sanitizer" not in serve.log()


def test_a_rotten_database_is_refused_with_its_path(make_serve):
    serve = make_serve()
    serve.stop()
    (serve.data / "kelvin.db").write_bytes(b"this is no database, whatever its name says" * 100)
    for tail in ("-wal", "-shm"):
        Path(str(serve.data / "kelvin.db") + tail).unlink(missing_ok=True)
    run = run_serve(serve, "--listen", "127.0.0.1:0")
    assert run.returncode == 1 and "kelvin.db" in run.stderr


def test_a_data_folder_that_replicas_may_not_enter_is_named(serve, tmp_path):
    if os.getuid() != 0:
        pytest.skip("without root, replicas run as the platform's own user")
    tmp_path.chmod(0o700)
    run = run_serve(serve, "--listen", "127.0.0.1:0", data=tmp_path / "data")
    assert run.returncode == 1 and "chmod" in run.stderr


def test_limits_are_printed_with_their_answers(serve):
    run = run_serve(serve, "--limits", "--json", "--limit", "header-bytes=1KiB")
    assert run.returncode == 0
    limits = {row["name"]: row for row in json.loads(run.stdout)["limits"]}
    assert (limits["header-bytes"]["value"], limits["header-bytes"]["default"]) == ("1KiB", "32KiB")
    assert "431" in limits["header-bytes"]["answer"]
    assert "header-bytes" in run_serve(serve, "--limits").stdout


def test_a_limit_that_does_not_exist_is_refused_with_the_nearest(serve):
    run = run_serve(serve, "--limit", "header-byte=1KiB")
    assert run.returncode == 2 and "did you mean header-bytes?" in run.stderr


def test_a_limit_that_was_set_holds(make_serve):
    serve = make_serve(options=["--limit", "header-bytes=1KiB"])
    assert serve.get("/healthz", headers={"X-Short": "a" * 100}).status == 200
    assert serve.get("/healthz", headers={"X-Long": "a" * 2000}).status == 431
