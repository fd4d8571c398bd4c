"""engine_test: what tools/engine does without a network; the downloads themselves are seen in ./demo."""
import os
import subprocess
from pathlib import Path

ENGINE = Path(__file__).with_name("engine")


def run(cache, *options):
    return subprocess.run([ENGINE, *options], env={**os.environ, "KELVIN_CACHE": str(cache)}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def assignments(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def test_without_a_cache_the_stand_in_is_used_and_labelled(tmp_path):
    done = run(tmp_path / "a folder", "--no-build")
    assert done.returncode == 0 and "stand-in" in done.stderr
    found = assignments(done.stdout)
    assert found["KELVIN_ENGINE"] == "standin" and found["KELVIN_LLAMA_SERVER"].endswith("standin_engine.py")


def test_what_it_prints_is_safe_to_evaluate(tmp_path):
    done = run(tmp_path / "it's $HOME", "--no-build")
    shown = subprocess.run(["bash", "-c", 'eval "$1"; printf %s "$KELVIN_GGUF"', "-", done.stdout], stdout=subprocess.PIPE,
                           text=True, check=True).stdout
    assert shown == str(tmp_path / "it's $HOME" / "engine" / "standin.gguf") and Path(shown).exists()


def test_every_pin_has_a_version_and_a_hash():
    import importlib.machinery
    import importlib.util
    loader = importlib.machinery.SourceFileLoader("engine", str(ENGINE))
    engine = importlib.util.module_from_spec(importlib.util.spec_from_loader("engine", loader))
    loader.exec_module(engine)
    pins = engine.pins_of([engine.SOURCE_PACKAGE, *engine.MODEL_PARTS])
    assert pins.count("--hash=sha256:") == 5 and pins.count("==") == 5
