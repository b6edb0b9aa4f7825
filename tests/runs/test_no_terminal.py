"""Everything that the commands do can be done in Python, without click."""

import subprocess
import sys

from cli.waves import waves, write_forms

SCRIPT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "click" or name.startswith("recurra.cli"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Refuse())
import recurra
from recurra.runs.compare import compare
from recurra.runs.explain import explain, write_explanation
from recurra.runs.predict import predict

assert recurra.look("data").summary["n_sequences"] == 30
small = {"hidden_size": 2, "max_epochs": 1, "verbose": 0}
one, two = (recurra.train("data", out=name, seed=0, cell=cell, **small) for name, cell in (("one", "lstm"), ("two", "gru")))
try:
    recurra.train(resume="one")
except recurra.errors.UsageError as error:
    assert "one is finished" in str(error)
assert recurra.evaluate("one").metrics["accuracy"] == one.metrics["accuracy"]
assert len(predict("one", "data")) == 30
assert explain("one", index=3).values.shape[1] == 2
assert write_explanation("one", index=3).inside.is_file()
assert {run["name"] for run in compare("one", "two").runs} == {"one", "two"}
assert "click" not in sys.modules
print("done")
"""


def test_every_function_works_where_click_is_absent(tmp_path):
    write_forms(tmp_path, "data", waves(30, seed=0))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "done\n", done.stderr
