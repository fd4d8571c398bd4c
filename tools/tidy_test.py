"""tidy_test: shows every rule of tools/tidy one example that keeps it and one that breaks it."""
import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

_loader = importlib.machinery.SourceFileLoader("tidy", str(Path(__file__).with_name("tidy")))
tidy = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", _loader))
_loader.exec_module(tidy)


@pytest.fixture
def problems(tmp_path):
    """problems(rule, {path: text}) -> the rule's complaints about a tree of these files."""
    def run(rule, files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return [str(p) for p in tidy.RULES[rule](tidy.Tree(tmp_path, list(files)))]
    return run


def test_layers_allow_what_the_table_allows(problems):
    good = '#include "base/time.h"\n#include "model/app.h"\n#include "core/admit/admit.h"\n'
    assert problems("layers", {"src/gateway/loop.cc": good}) == []


@pytest.mark.parametrize("file, target", [
    ("src/core/scale/scale.h", "ports/clock.h"),
    ("src/base/id.h", "model/app.h"),
    ("src/gateway/loop.cc", "core/control/control.h"),
    ("src/keeper/keeper.cc", "ports/cluster.h"),
    ("src/http/parser.cc", "os/fd.h"),
    ("src/api/apps.cc", "cluster/local/cluster.h"),
])
def test_layers_refuse_an_absent_arrow(problems, file, target):
    [problem] = problems("layers", {file: f'#include "{target}"\n'})
    assert problem.startswith(f"{file}:1: layers: ") and target in problem


def test_layers_want_a_row_for_every_folder(problems):
    assert "add one" in problems("layers", {"src/stuff/x.cc": ""})[0]


def test_libraries_stay_in_their_folders_and_out_of_headers(problems):
    assert problems("libraries", {"src/store/sqlite_store.cc": "#include <sqlite3.h>\n"}) == []
    assert "store only" in problems("libraries", {"src/api/x.cc": "#include <sqlite3.h>\n"})[0]
    assert "hide" in problems("libraries", {"src/api/x.h": "#include <nlohmann/json.hpp>\n"})[0]
    assert "only" in problems("libraries", {"src/core/meter/x.cc": "#include <fmt/core.h>\n"})[0]


def test_pure_folders_include_no_clock_thread_or_file(problems):
    assert problems("libraries", {"src/core/scale/x.cc": "#include <chrono>\n#include <vector>\n"}) == []
    for header in ("thread", "random", "fstream", "sys/socket.h"):
        assert "pure" in problems("libraries", {"src/core/scale/x.cc": f"#include <{header}>\n"})[0]


@pytest.mark.parametrize("symbol", [
    "clock_gettime", "std::chrono::_V2::system_clock::now()", "pthread_create", "open64", "fopen", "socket", "rand",
    "std::random_device::_M_getval()", "__cxa_throw", "std::thread::_M_start_thread(x)", "getrandom",
])
def test_purity_knows_impure_symbols(symbol):
    assert tidy.IMPURE_SYMBOLS.search(symbol)


@pytest.mark.parametrize("symbol", [
    "operator new(unsigned long)", "memcpy", "std::__throw_length_error(char const*)", "kelvin::check_failed(char const*)",
    "__asan_report_load8", "kelvin::control::step(kelvin::control::World&)", "std::__detail::_Prime_rehash_policy::open()",
    "kelvin::time::read(int)", "abort", "__ubsan_handle_add_overflow", "sqrt",
])
def test_purity_lets_plain_computation_pass(symbol):
    assert not tidy.IMPURE_SYMBOLS.search(symbol)


@pytest.mark.parametrize("line", [
    "auto t = std::chrono::steady_clock::now();", "std::thread t(f);", "int x = rand();", 'printf("x");',
    "out << std::endl;", "std::this_thread::sleep_for(1s);", "usleep(5);", "using namespace std;", "t.detach();",
    "std::cerr << 1;", "const int n = atoi(text);",
])
def test_bans_name_a_replacement(problems, line):
    [problem] = problems("bans", {"src/gateway/x.cc": f"void f() {{\n  {line}\n}}\n"})
    assert problem.startswith("src/gateway/x.cc:2: bans: `")


def test_bans_overlook_comments_strings_and_the_places_where_it_is_right(problems):
    text = '// printf(x) and std::endl\nconst char* s = "rand()";\nsnprintf(b, 3, "x");\nauto n = strand(3);\n'
    assert problems("bans", {"src/gateway/x.cc": text}) == []
    assert problems("bans", {"src/os/thread.cc": "std::thread t;\n", "src/cli/x.cc": 'std::printf("x");\n'}) == []


def test_money_is_never_a_float(problems):
    assert "integers" in problems("bans", {"src/core/meter/meter.cc": "double price = 0;\n"})[0]


def test_names_that_say_nothing_are_refused(problems):
    assert problems("names", {"src/ports/data_plane.h": "", "src/os/thread.cc": "struct Thread {};\n"}) == []
    assert problems("names", {"src/os/string_util.h": ""}) and problems("names", {"src/os/app_data.h": ""})
    assert problems("names", {"src/os/x.h": "class PoolManager {\n};\n"})


def body(lines):
    return "int f(int a) {\n" + "  a += 1;\n" * (lines - 2) + "}\n"


def test_functions_have_at_most_seventy_lines(problems):
    assert problems("lengths", {"src/os/x.cc": "namespace a {\n" + body(70) + "}\n"}) == []
    [problem] = problems("lengths", {"src/os/x.cc": "namespace a {\n" + body(71) + "}\n"})
    assert problem == "src/os/x.cc:2: lengths: f has 71 lines; at most 70"


def test_functions_are_found_behind_initialiser_lists_lambdas_and_types():
    code = tidy.blank("struct A {\n  A(int n) : n_{n}, m_(n) {\n    go([] { return 1; });\n  }\n  int n_{};\n};\n"
                      "enum class E { One };\nconst int t[] = {1, 2};\nauto g() -> int { return 0; }\n")
    assert [(f.name, f.line, f.lines) for f in tidy.functions_of(code)] == [("A", 2, 3), ("g", 9, 1)]


def test_python_functions_are_measured_too(problems):
    assert problems("lengths", {"tools/x.py": "def f():\n" + "    a = 1\n" * 70})


def test_functions_take_at_most_four_parameters(problems):
    assert problems("parameters", {"src/os/x.cc": "int f(int a, std::map<int, int> b, int c, int d) {\n}\n"}) == []
    assert problems("parameters", {"src/os/x.cc": "int f(int a, int b, int c, int d, int e) {\n}\n"})


def test_unformatted_code_is_named(problems):
    assert problems("format", {".clang-format": "BasedOnStyle: Google\n", "src/os/x.h": "int f();\n"}) == []
    assert problems("format", {".clang-format": "BasedOnStyle: Google\n", "src/os/x.h": "int   f( );\n"})


def test_todo_has_a_kind(problems):
    assert problems("todo", {"src/os/x.h": "// TODO(perf): cache this.\n"}) == []
    assert problems("todo", {"src/os/x.h": "// TODO: cache this.\n"})
    assert problems("todo", {"src/os/x.h": "// FIX" + "ME soon\n"})


def test_markdown_has_one_title_and_readmes_are_short(problems):
    assert problems("markdown", {"docs/a.md": "# A\n\n```sh\n# comment\n```\n"}) == []
    assert problems("markdown", {"docs/a.md": "# A\n# B\n"}) and problems("markdown", {"docs/b.md": "text\n"})
    assert problems("markdown", {"src/os/README.md": "# os\n" + "line\n" * 20})
    assert problems("markdown", {"src/os/CMakeLists.txt": ""})


def test_every_verb_has_a_page(problems):
    assert problems("help", {"src/cli/verb_park.cc": "", "src/cli/help/park.md": "# park\n"}) == []
    assert "src/cli/help/park.md" in problems("help", {"src/cli/verb_park.cc": ""})[0]


def test_dead_files_are_named(problems):
    good = {"src/os/CMakeLists.txt": "kelvin_library(kelvin_os SOURCES fd.cc)", "src/os/fd.cc": '#include "os/fd.h"\n',
            "src/os/fd.h": ""}
    assert problems("dead-files", good) == []
    assert len(problems("dead-files", {**good, "src/os/old.cc": "", "src/os/old.h": ""})) == 2


def test_headers_say_what_they_are(problems):
    assert problems("headers", {"src/os/fd.h": "// fd: owns a descriptor.\n#pragma once\n"}) == []
    assert len(problems("headers", {"src/os/fd.h": "int x;\n"})) == 2


def test_places_of_one_machine_and_registry_hosts_stay_out(problems):
    assert problems("places", {"docs/a.md": "see build/dev, ~/.cache/kelvin, /usr/bin and /var/lib/kelvin\n"}) == []
    assert problems("places", {"docs/a.md": "see /ro" + "ot/x\n"})
    assert problems("places", {"docs/a.md": "from https://py" + "pi.org/simple\n"})


@pytest.mark.parametrize("call", ["f(name)", "f(std::move(name), 3, spec.name, this->x_)", 'f("text", 5s)', "task", "f()"])
def test_awaited_calls_may_take_names_and_literals(problems, call):
    assert problems("awaits", {"src/runtime/x.cc": f"auto r = co_await {call};\n"}) == []


@pytest.mark.parametrize("call", ["f(Spec{.name = s})", "f(Spec(s, 1))", "f([p] { g(p); })", "f(a + b)", "f({1, 2})"])
def test_awaited_calls_may_not_build_their_arguments(problems, call):
    assert "AW1" in problems("awaits", {"src/runtime/x.cc": f"auto r = co_await {call};\n"})[0]
