"""test_bad_apps: programs and app files that are wrong. Each gets a sentence with its reason, and nothing is left running."""
import json
import os
import socket
import time
from pathlib import Path

import pytest

from serving import in_background, wait_until

START = {"progress": "2s", "attempts": 2}


def wait_failing(serve, app, patience=90):
    serve.wait_condition(app, "failing", patience)
    found = serve.json("describe", app)["app"]
    assert found["reason"], found
    return found["reason"]


def assert_nothing_runs(serve, app):
    wait_until(lambda: not [r for r in serve.replicas(app) if r["state"] != "gone"], f"{app} has no replica left")


def assert_costs_nothing(serve, app):
    assert sum(line["amount_nano"] for line in serve.json("bill")["lines"] if line["app"] == app) == 0


# --- programs -------------------------------------------------------------------------------------------------------------

def test_a_program_that_exits_at_once_ends_as_failing_with_its_reason(serve):
    serve.deploy("bad", ["sh", "exits_at_once.sh"], ["exits_at_once.sh"], start=START)
    reply = serve.app("bad")
    assert reply.status == 503 and "status 3" in reply.json["detail"] and "kelvin logs bad" in reply.text, reply.text
    assert "status 3" in wait_failing(serve, "bad")
    assert "cannot open libmissing.so" in serve.cli("logs", "bad").stdout
    assert_nothing_runs(serve, "bad")
    assert_costs_nothing(serve, "bad")
    # While it fails, requests are refused at once, with a moment to come back.
    refused = serve.app("bad")
    assert refused.status == 503 and refused.headers["retry-after"]
    assert sum("gone from loading" in sentence for sentence in serve.decisions("bad")) == 2, "nothing was started for it"
    # The next deploy heals it.
    serve.deploy("bad", ["python3", "echo_app.py"], ["echo_app.py"])
    assert serve.app("bad").status == 200


def test_deploy_wait_reports_a_failing_app(serve):
    run = serve.deploy("bad", ["sh", "exits_at_once.sh"], ["exits_at_once.sh"], start=START, wait=True, code=1)
    assert "status 3" in run.stderr


def test_a_failing_app_is_tried_again_after_its_back_off(serve):
    serve.deploy("bad", ["sh", "exits_at_once.sh"], ["exits_at_once.sh"], start={"progress": "2s", "attempts": 1})
    serve.app("bad")
    wait_failing(serve, "bad")
    retry_at = serve.json("describe", "bad")["app"]["retry_at_unix_ms"]
    assert retry_at
    wait_until(lambda: time.time() * 1000 > retry_at, "the back-off is over", patience=120)
    assert "status 3" in serve.app("bad").text
    assert sum("gone from loading" in sentence for sentence in serve.decisions("bad")) == 2


def test_a_program_that_never_listens_makes_no_progress(serve):
    serve.deploy("bad", ["sh", "never_listens.sh"], ["never_listens.sh"], start={"progress": "2s", "attempts": 1})
    reply = serve.app("bad", timeout=120)
    assert reply.status in (503, 504) and "progress" in reply.text
    assert "progress" in wait_failing(serve, "bad")
    assert_nothing_runs(serve, "bad")
    assert_costs_nothing(serve, "bad")


def test_a_program_that_prints_waiting_for_ever_is_given_up(serve):
    serve.deploy("bad", ["sh", "prints_waiting.sh"], ["prints_waiting.sh"], start={"progress": "2s", "attempts": 1})
    reply = serve.app("bad", timeout=300)
    # Repeated lines are weak progress: they extend the deadline, at most tenfold.
    assert reply.status in (503, 504) and "nothing but weak signs of life" in reply.text, reply.text
    assert_nothing_runs(serve, "bad")


def test_a_program_that_computes_silently_is_given_time(serve):
    serve.deploy("busy", ["python3", "burns_cpu.py", "5"], ["burns_cpu.py"], start={"progress": "2s", "attempts": 1})
    reply = serve.app("busy", timeout=120)
    assert reply.status == 200 and reply.text == "compiled\n"


def test_a_program_that_shows_progress_may_take_longer_than_the_deadline(serve):
    serve.deploy("slow", ["python3", "slow_ready.py", "7"], ["slow_ready.py"], ready="/health",
                 start={"progress": "2s", "attempts": 1})
    assert serve.app("slow", timeout=120).text == "ready\n"


def test_a_program_that_hangs_after_it_was_ready_is_replaced(serve):
    serve.deploy("hangs", ["python3", "hangs_later.py"], ["hangs_later.py"], alive="/health", timeout="3s",
                 scale={"min": 0, "max": 2, "concurrency": 8})
    first = serve.app("hangs").text
    assert serve.app("hangs", "/hang").status == 200

    def answered_by_another():
        try:
            reply = serve.app("hangs", timeout=20)
        except OSError:
            return False
        return reply.status == 200 and reply.text != first

    wait_until(answered_by_another, "another replica answers", patience=180)
    text = " ".join(serve.decisions("hangs"))
    assert "answer" in text or "alive" in text


def test_a_request_to_a_program_that_dies_gets_502_with_the_cause(serve):
    serve.deploy_echo("echo")
    serve.app("echo")
    reply = serve.app("echo", "/exit?code=7")
    assert reply.status == 502 and reply.json["code"] and "kelvin explain echo" in reply.text
    wait_until(lambda: "status 7" in " ".join(serve.decisions("echo")), "the exit status is in the decision log")
    assert serve.app("echo").status == 200


def test_out_of_memory_is_called_out_of_memory(serve):
    serve.deploy("hungry", ["python3", "-c", "import time; x = bytearray(400 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n"
                                             "time.sleep(60)"], memory="64MiB", start={"progress": "10s", "attempts": 1})
    reply = serve.app("hungry", timeout=120)
    assert reply.status == 503, reply.text
    if "memory" not in reply.text:
        pytest.skip("this machine has no memory controller for replicas: " + reply.json["detail"])
    assert "out of memory" in reply.text


def test_a_stranger_on_a_fixed_port_is_not_taken_for_the_app(serve):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        run = serve.deploy("fixed", ["python3", "echo_app.py", str(port)], ["echo_app.py"], port=port,
                           scale={"min": 0, "max": 1}, start={"progress": "3s", "attempts": 1}, code=None)
        if run.returncode == 2:
            assert "port" in run.stderr  # refused with a sentence until replicas have networks of their own
            return
        reply = serve.app("fixed", timeout=120)
        assert reply.status in (503, 504) and str(port) in reply.text, reply.text
    assert_nothing_runs(serve, "fixed")


# --- app files -------------------------------------------------------------------------------------------------------------

def write_app(folder, text, name="kelvin.yaml"):
    file = Path(folder) / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_every_complaint_about_an_app_file_comes_at_once_with_its_place(shared_serve, tmp_path):
    file = write_app(tmp_path, "name: Bad_Name\ncomand: [x]\nscale: {min: three, max: 1}\ntimeout: soon\n")
    run = shared_serve.cli("deploy", file, code=2)
    for expected in ("kelvin.yaml:1:", "kelvin.yaml:2:", "kelvin.yaml:3:", "kelvin.yaml:4:", "comand", "command"):
        assert expected in run.stderr, run.stderr
    assert shared_serve.json("apps")["apps"] == [] or all(a["name"] != "Bad_Name" for a in shared_serve.json("apps")["apps"])


@pytest.mark.parametrize("text", ["name: [unclosed", "\tname: x", "- just\n- a list\n", "", "name: a\nname: b\ncommand: [x]\n",
                                  "{" * 200], ids=["unclosed", "tab", "list", "empty", "twice", "deep"])
def test_broken_yaml_is_refused_with_a_place(shared_serve, tmp_path, text):
    run = shared_serve.cli("deploy", write_app(tmp_path, text), code=2)
    assert "kelvin.yaml:" in run.stderr


def test_an_unreadable_app_file_is_named(shared_serve, tmp_path):
    run = shared_serve.cli("deploy", str(tmp_path / "absent.yaml"), code=None)
    assert run.returncode in (1, 2, 3) and "absent.yaml" in run.stderr
    run = shared_serve.cli("deploy", str(tmp_path), code=None)
    assert run.returncode in (1, 2, 3) and str(tmp_path.name) in run.stderr


def test_a_missing_model_is_named(shared_serve, tmp_path):
    file = write_app(tmp_path, 'name: m\ncommand: [sh, -c, "true"]\nmodel: ./absent.gguf\n')
    run = shared_serve.cli("deploy", file, code=None)
    assert run.returncode in (2, 3) and "absent.gguf" in run.stderr


def test_a_command_that_is_not_found_is_named_with_where_it_was_looked_for(shared_serve, tmp_path):
    run = shared_serve.cli("deploy", write_app(tmp_path, "name: c\ncommand: [no-such-program]\n"), code=None)
    assert run.returncode in (2, 3) and "no-such-program" in run.stderr and "PATH" in run.stderr


@pytest.mark.parametrize("key, value", [("image", "ghcr.io/acme/x:1"), ("secrets", ["TOKEN"]), ("gpu", "h100")])
def test_keys_of_later_features_are_refused_with_that_sentence(shared_serve, tmp_path, key, value):
    text = json.dumps({"name": "later", "command": ["sh", "-c", "true"], key: value})
    run = shared_serve.cli("deploy", write_app(tmp_path, text), code=None)
    if key == "gpu" and run.returncode == 0:
        reply = shared_serve.app("later")
        assert reply.status == 503 and "h100" in reply.text  # no such accelerator on any node
        shared_serve.cli("delete", "later", "--yes")
        return
    assert run.returncode == 2 and key in run.stderr


# --- the disk --------------------------------------------------------------------------------------------------------------

@pytest.fixture
def small_disk():
    """A 96 MiB file system, 64 of which the platform keeps free of content; needs root."""
    import subprocess
    import tempfile
    folder = tempfile.mkdtemp(prefix="kelvin-test-disk-")
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=0711", "tmpfs", folder],
                                          stderr=subprocess.DEVNULL, check=False).returncode != 0:
        os.rmdir(folder)
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)
    os.rmdir(folder)


def test_a_full_disk_is_said_so_and_loses_nothing(make_serve, small_disk, tmp_path):
    serve = make_serve(data=small_disk)
    serve.deploy_echo("echo")
    assert serve.app("echo").status == 200
    # Content that does not fit is refused by name and leaves nothing behind.
    model = tmp_path / "big.bin"
    model.write_bytes(os.urandom(40 << 20))
    run = serve.cli("deploy", write_app(tmp_path, 'name: big\ncommand: [sh, -c, "true"]\nmodel: ./big.bin\n'), code=None)
    assert run.returncode != 0 and ("disk" in run.stderr or "space" in run.stderr), run.stderr
    # With the disk full to the last byte, requests are served and usage is kept for later.
    filler = Path(small_disk) / "filler"
    with open(filler, "wb", buffering=0) as file:  # nothing is left to be written when it closes
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass
    assert serve.app("echo", "/sleep?ms=300").status == 200
    refused = serve.deploy_echo("other", env={"A": "1"}, code=None)
    assert refused.returncode != 0 and ("disk" in refused.stderr or "space" in refused.stderr or "full" in refused.stderr)
    filler.unlink()
    wait_until(lambda: serve.usage_ms("echo", "busy") >= 300, "the usage is stored once there is room", patience=60)
    assert [a["name"] for a in serve.json("apps")["apps"]] == ["echo"]
