"""tally_test: a test that did not run did not pass."""
import json

import pytest

import tally


def gtest(*results):
    cases = [{"name": str(at), "status": "RUN", "result": "SKIPPED" if what == "skip" else "COMPLETED",
              **({"failures": [{"failure": "x"}]} if what == "fail" else {})} for at, what in enumerate(results)]
    return json.dumps({"testsuites": [{"name": "A", "testsuite": cases}]})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "gtest").mkdir()
    return tmp_path


def ctest(folder, **status):
    cases = "".join(f'<testcase name="{name}" status="{value}"/>' for name, value in status.items())
    (folder / "ctest.xml").write_text(f"<testsuite>{cases}</testsuite>", encoding="utf-8")


def test_every_case_of_a_program_counts(folder):
    ctest(folder, os_test="fail")
    (folder / "gtest" / "os_test.json").write_text(gtest("ok", "ok", "fail", "skip"), encoding="utf-8")
    assert tally.count_ctest(folder) == (2, 1, 1)


def test_a_program_that_died_before_its_report_is_one_failure(folder):
    ctest(folder, os_test="fail", script="run")
    assert tally.count_ctest(folder) == (1, 1, 0)


def test_a_program_that_fails_after_its_last_case_is_a_failure_too(folder):
    ctest(folder, os_test="fail")
    (folder / "gtest" / "os_test.json").write_text(gtest("ok"), encoding="utf-8")
    assert tally.count_ctest(folder) == (1, 1, 0)


def test_pytest_errors_are_failures(folder):
    (folder / "p.xml").write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>',
                                  encoding="utf-8")
    assert tally.count_pytest(folder / "p.xml") == (3, 3, 3)


def test_a_part_without_a_report_is_a_failure(folder, capsys):
    assert tally.count_part("tidy", lambda: tally.count_tidy(folder / "tidy.json")) == (0, 1, 0)
    assert "left no report" in capsys.readouterr().err
