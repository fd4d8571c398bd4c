"""conftest: the platform as the end-to-end tests meet it: the real binary, a data folder of its own, a free port."""
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from serving import PROGRAMS, Serve, find_binary  # pylint: disable=wrong-import-position


@pytest.fixture(scope="session")
def binary():
    return find_binary("dev", "release")


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """What tools/engine found, in a folder that users other than root may enter, because replicas run as such."""
    server, model = os.environ.get("KELVIN_LLAMA_SERVER"), os.environ.get("KELVIN_GGUF")
    kind = os.environ.get("KELVIN_ENGINE", "standin")
    if not server or not model:
        server, kind = PROGRAMS / "standin_engine.py", "standin"
        model = tmp_path_factory.mktemp("model") / "standin.gguf"
        model.write_text("This is no model.\n", encoding="utf-8")
    folder = Path(tempfile.mkdtemp(prefix="kelvin-test-bin-"))
    folder.chmod(0o755)
    shutil.copy(server, folder / "llama-server")
    (folder / "llama-server").chmod(0o755)
    yield {"kind": kind, "folder": folder, "model": Path(model)}
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def python_packages():
    """Packages of the tests' own Python for apps that import them, in a folder that users of replicas may read."""
    folder = Path(tempfile.mkdtemp(prefix="kelvin-test-packages-"))
    for name in ("grpc", "typing_extensions", "websockets"):
        origin = Path(importlib.util.find_spec(name).origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def tiny_http(binary):
    """The static HTTP program, as the build made it or as gcc or clang makes it here."""
    built = binary.parent / "tests" / "tiny_http"
    if not built.exists():
        pytest.skip(f"{built.name} has not been built")
    return built


@pytest.fixture
def spare_folder():
    """A folder that users of replicas may enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="kelvin-test-spare-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_serve(binary):
    """make_serve(**options) -> a running Serve; everything it started is gone after the test."""
    made = []

    def make(**options):
        serve = Serve(binary, **options)
        made.append(serve)
        serve.start()
        return serve

    yield make
    for serve in made:
        serve.destroy()


@pytest.fixture
def serve(make_serve):
    return make_serve()


@pytest.fixture(scope="module")
def shared_serve(binary, engine):
    """One platform for all tests of a module that do not disturb each other."""
    serve = Serve(binary, path_folders=[engine["folder"]])
    try:
        serve.start()
        yield serve
    finally:
        serve.destroy()
