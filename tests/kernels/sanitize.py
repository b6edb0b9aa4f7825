"""Build the kernels with the address and undefined-behaviour sanitizers and run random shapes through them.

``python tests/kernels/sanitize.py [COUNT]`` (default 100): every instruction set of this machine runs COUNT cases of
check_shapes.py. Needs cmake, ninja and nanobind in the environment, and a compiler with its sanitizer library.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path) -> Path:
    """Return a folder that holds the package with a sanitized extension."""
    package = folder / "src" / "recurra"
    for source in (ROOT / "src" / "recurra").rglob("*.py"):
        target = package / source.relative_to(ROOT / "src" / "recurra")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    configure = [
        "cmake", "-S", str(ROOT), "-B", str(folder / "build"), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        f"-DPython_EXECUTABLE={sys.executable}", "-DRECURRA_SANITIZE=ON",
        f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={package / 'kernels'}",
    ]  # fmt: skip
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(folder / "build")], check=True, stdout=subprocess.DEVNULL)
    return folder / "src"


def library(name: str) -> str:
    """Return the path of a runtime library of the compiler."""
    compiler = (sysconfig.get_config_var("CXX") or "c++").split()[0]
    asked = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def main(count: str = "100") -> int:
    """Return how many instruction sets failed."""
    with tempfile.TemporaryDirectory() as folder:
        source = build(Path(folder))
        environment = {
            **os.environ,
            "PYTHONPATH": str(source),
            "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
            # Python itself keeps memory to the end
            "ASAN_OPTIONS": "detect_leaks=0",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        }
        code = "import recurra.kernels as k; print(*k.describe()['isas'])"
        isas = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        check = str(Path(__file__).with_name("check_shapes.py"))
        failed = 0
        for isa in isas:
            done = subprocess.run(
                [sys.executable, check, count], env={**environment, "RECURRA_ISA": isa}, check=False
            )
            failed += done.returncode != 0
        return failed if isas else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
