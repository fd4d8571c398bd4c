"""test_replica: what a program finds around it when it runs as a replica."""
import os
import stat
from pathlib import Path

import pytest

from serving import wait_until


@pytest.fixture
def surroundings(serve):
    serve.deploy_echo("echo", env={"LOG_LEVEL": "debug"})
    return serve.app("echo", "/environment").json


def test_the_environment_is_what_the_app_file_names_and_no_more(surroundings):
    environment = surroundings["environment"]
    allowed = {"PATH", "HOME", "TMPDIR", "PORT", "LOG_LEVEL"} | {"LC_CTYPE"}  # the last one is Python's own doing
    assert set(environment) <= allowed and environment["LOG_LEVEL"] == "debug"
    assert {"PATH", "HOME", "TMPDIR", "PORT"} <= set(environment)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give replicas users of their own")
def test_as_root_every_replica_has_a_user_of_its_own_and_gains_no_privileges(serve):
    serve.deploy_echo("one")
    serve.deploy_echo("two")
    one, two = serve.app("one", "/environment").json, serve.app("two", "/environment").json
    assert 0 not in (one["uid"], two["uid"], one["gid"]) and one["uid"] != two["uid"]
    assert one["no_new_privs"] == "1" and 0 not in one["groups"]
    home = Path(one["environment"]["HOME"])
    assert home.stat().st_uid == one["uid"] and stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_working_folder_is_the_apps_and_read_only(serve, surroundings):
    folder = Path(surroundings["cwd"])
    assert (folder / "echo_app.py").exists() and str(serve.data) in str(folder)
    if surroundings["uid"] != 0:
        mode = folder.stat()
        assert mode.st_uid != surroundings["uid"] and not mode.st_mode & 0o002


def test_each_replica_runs_in_a_cgroup_and_process_group_of_its_own(serve):
    serve.deploy_echo("one", wait=True)
    serve.deploy_echo("two", wait=True)
    pids = [serve.live_replicas(name)[0]["pid"] for name in ("one", "two")]
    groups = [Path(f"/proc/{pid}/cgroup").read_text() for pid in pids]
    assert groups[0] != groups[1] and [os.getpgid(pid) for pid in pids] == pids


def test_files_of_a_replica_go_with_it(serve):
    serve.deploy_echo("echo")
    home = Path(serve.app("echo", "/environment").json["environment"]["HOME"])
    assert home.exists()
    serve.cli("delete", "echo", "--yes")
    wait_until(lambda: not home.exists(), "the replica's folder is removed")


def test_a_stopped_replica_leaves_no_children(serve):
    serve.deploy("parent", ["sh", "-c", "sleep 3599 & exec python3 echo_app.py"], ["echo_app.py"])
    pid = int(serve.app("parent").text.split()[-1])
    children = lambda: [p for p in Path("/proc").iterdir() if p.name.isdigit() and is_sleeper(p)]
    assert children() and pid
    serve.cli("delete", "parent", "--yes")
    wait_until(lambda: not children(), "its child is gone too")


def is_sleeper(folder):
    try:
        return (folder / "cmdline").read_bytes() == b"sleep\x003599\x00"
    except OSError:
        return False
