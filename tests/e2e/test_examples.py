"""test_examples: every folder of examples/ deploys as it stands and answers. examples/gemma is in test_openai."""
import shutil
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_python_example_answers(shared_serve):
    shared_serve.cli("deploy", str(EXAMPLES / "python" / "kelvin.yaml"), "--wait")
    reply = shared_serve.app("notes", "/", "POST", b"buy milk")
    assert reply.status == 201, reply.text
    assert "buy milk" in shared_serve.app("notes").text


def test_the_tiny_example_answers(shared_serve, tiny_http, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(EXAMPLES / "tiny", folder)
    shutil.copy(tiny_http, folder / "tiny_http")
    shared_serve.cli("deploy", str(folder / "kelvin.yaml"), "--wait")
    assert shared_serve.app("tiny").status == 200


def test_every_example_is_run_by_a_test():
    assert sorted(p.name for p in EXAMPLES.iterdir() if p.is_dir()) == ["gemma", "python", "tiny"]
