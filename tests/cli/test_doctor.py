"""``doctor``: works when something is missing, and says what to do."""

import json
import subprocess
import sys
from importlib import metadata

from recurra.cli.verbs import doctor as module
from recurra.cli.verbs.doctor import doctor


def test_versions_kernels_threads_and_places(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "absent"))
    done = cli("doctor")
    assert done.code == 0
    assert f"numpy         {metadata.version('numpy')}" in done.out
    assert f"{tmp_path / 'absent'} (not there)" in done.out
    for heading in ("Packages", "Extras", "Kernels", "Threads", "Data are looked for in"):
        assert f"\n{heading}\n" in done.out
    assert done.out.splitlines()[-1] == "recurra datasets"
    found = json.loads(cli("doctor", "--json").out)
    assert found["torch"] == metadata.version("torch")
    assert found["kernels_runs"] in ("native", "reference")


def absent(*names):
    def version(package, module):
        return None if package in names else "1.0"

    return version


def test_missing_packages_are_named_with_what_to_do(cli, monkeypatch):
    monkeypatch.setattr(module, "_version", absent("torch", "soundfile", "av"))
    done = cli("doctor")
    assert done.code == 0
    assert "A trained model predicts; to train, torch is missing: pip install recurra" in done.out
    assert "pip install 'recurra[audio,video]'" in done.out
    monkeypatch.setattr(module, "_version", absent("numpy"))
    done = cli("doctor")
    assert done.code == 1
    assert "Nothing works without numpy: pip install recurra" in done.out


def test_a_probe_that_fails_is_told_not_raised(monkeypatch, cli):
    def fail():
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(module, "_kernels", fail)
    assert doctor()["kernels_problem"] == "RuntimeError: no such instruction"
    done = cli("doctor")
    assert done.code == 0
    assert "kernels: RuntimeError: no such instruction" in done.out


def test_the_reference_kernels_are_said_to_run(cli, monkeypatch):
    monkeypatch.setattr(
        module,
        "_kernels",
        lambda: {"kernels_native": False, "kernels_runs": "reference", "kernels_reason": "not built"},
    )
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    out = cli("doctor").out
    assert "Runs on the reference kernels (not built). Install a C++17 compiler; reinstall recurra" in out


def test_it_works_without_anything():
    code = (
        "import sys\n"
        "for name in ('numpy', 'torch', 'sklearn', 'scipy', 'matplotlib', 'rich', 'safetensors'): sys.modules[name] = None\n"
        "from recurra.cli.main import run; sys.exit(run(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "kernels: ModuleNotFoundError" in done.stdout
