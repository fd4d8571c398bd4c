"""test_soak: twenty seconds of the soak, so that it runs whenever somebody needs ten minutes of it."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import account as ends  # noqa: E402  pylint: disable=wrong-import-position


def test_mixed_load_leaves_nothing_behind_and_loses_nothing(binary, tmp_path):
    if b"__asan_init" not in binary.read_bytes():
        pytest.skip("this is no sanitized build")
    run = subprocess.run([sys.executable, HERE / "soak", "--minutes", "0.33", "--clients", "16", "--seed", "7"],
                         env={**os.environ, "KELVIN_BIN": str(binary), "TMPDIR": "/tmp"}, cwd=tmp_path, timeout=280,
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert run.returncode == 0, run.stdout[-6000:]


def test_the_account_finds_what_is_lost_doubled_and_made_up():
    account = ends.Account()
    names = [account.begin("c", "app", "short") for _ in range(5)]
    for name in names[:3]:
        account.end(name, ends.ANSWERED)
    account.refuse(names[3], 429, "queue_full")
    account.abort_all(names)
    assert account.judge({names[0]: 1, names[1]: 2, names[3]: 1, names[4]: 1, "never.1": 1}) == (1, 3)
    assert len(account.violations) == 4


def test_the_account_takes_an_unexpected_refusal_for_broken():
    account = ends.Account()
    account.refuse(account.begin("c", "app", "short"), 502, "replica_broke_reply")
    assert account.count(ends.BROKEN) == 1 and account.violations
