"""Let a small run die, or the disk be full, before, in and after every single write, fsync, rename and unlink.

After death every checkpoint is whole, one is there as soon as one was renamed into place, and the run goes on to the very
weights of one that never died. So it is after a power cut, which tears what was not fsynced and may lose renames too.
Where the run replaces an earlier one, one of the two is whole at every moment. On a full disk the exit code is 1, one
sentence says so, nothing is torn, and an earlier run in the folder stays as it was.
``python tests/attacks/every_write.py --stride 1``; ``--tmpfs`` mounts small file systems of every size instead (needs
the right to mount).
"""

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import warm
from shim import Shim

from recurra import store
from recurra.runs.folder.files import RunFolder
from recurra.runs.folder.opening import open_run
from recurra.runs.folder.ownership import unfinished
from recurra.training import checkpoints

# What happens at a call; a power cut only where it differs from death: at what is about to make something last.
WAYS = {
    "die before": (),
    "die half-way": ("write",),
    "die after": (),
    "cut": ("fsync", "replace", "unlink"),
    "cut, renames lost": ("fsync", "unlink"),
}
# Where a run that replaces another differs from one in a folder of its own.
MOVES = ("mkdir", "replace", "unlink", "rmdir")


def torn(folder):
    """Return the files of a run that are there but not whole."""
    out = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            if path.suffix == ".recurra":
                store.load(path)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                assert path.read_text() == "" or path.read_text().endswith("\n")
                [json.loads(line) for line in path.read_text().splitlines()]
            elif path.suffix in (".html", ".svg"):
                assert path.read_text().rstrip().endswith(f"</{path.suffix[1:]}>")
            elif path.suffix == store.PARTIAL:
                raise AssertionError
        except Exception:
            out.append(str(path.relative_to(folder)))
    return out


def snapshot(folder):
    """Return every file by name, without the lock that says whose the folder is."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".lock")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


class Attack:
    """What a small run needs, made once."""

    def __init__(self, place):
        self.place, self.log, self.calls = place, place / "log.txt", place / "calls.txt"
        self.data, self.whole, self.run = place / "data.csv", place / "whole", place / "run"
        warm.write_data(self.data, n=20)
        warm.every_step()
        warm.here([*self.words(place / "first"), "--seed", "2"])  # others than those of the run
        warm.here(self.words(self.whole))
        self.earlier = snapshot(place / "first")

    def words(self, folder, *, judged=True):
        """Return the words of the run; drawing a report takes longest, so most deaths do without."""
        return [*warm.train_words(self.data, folder, test="0.2" if judged else "0"), "--max-epochs", "2"]

    def unjudged(self):
        """Let all runs from here on be without report."""
        self.words, self.whole = functools.partial(Attack.words, self, judged=False), self.place / "unjudged"
        warm.here(self.words(self.whole))

    def judged_again(self):
        """Let all runs from here on be with report, as at first."""
        self.words, self.whole = functools.partial(Attack.words, self), self.place / "whole"

    def count(self, *, replacing=False):
        """Return the names of the calls of a whole run."""
        words = self.begin(replacing)
        child = warm.fork(words, self.log, first=Shim(-1, "", self.calls).install)
        assert warm.wait(child) == 0, self.log.read_text()
        self.clear()
        return self.calls.read_text().split()

    def begin(self, replacing):
        """Return the words of the run, whose folder holds an earlier one if it is to replace that."""
        if replacing:
            shutil.copytree(self.place / "first", self.run)
        return [*self.words(self.run), *(["--force"] if replacing else [])]

    def clear(self):
        for name in ("run", ".run.new", ".run.old"):
            shutil.rmtree(self.place / name, ignore_errors=True)

    def end(self, words=None):
        """Let the run end, anew or going on; return what is wrong, if anything."""
        new = (self.run / "model.recurra").exists() and warm.same_weights(
            self.run / "model.recurra", self.whole / "model.recurra"
        )
        begun = unfinished(self.run) is not None
        if begun or not new:
            args = ["resume", str(self.run), "--quiet"] if begun else words or self.words(self.run)
            code = warm.wait(warm.fork(args, self.log))
            if code:
                return f"exit code {code}: {self.log.read_text()[-300:]}"
        same = warm.same_weights(self.run / "model.recurra", self.whole / "model.recurra")
        left = torn(self.run)
        return "" if same and not left else f"other weights: {not same}, torn: {left}"

    def death(self, at, what, *, replacing=False):
        """Die at a call; return what is wrong afterwards."""
        words = self.begin(replacing)
        child = warm.fork(words, self.log, first=Shim(at, what, self.calls).install)
        code = warm.wait(child)
        if code != -9:
            return (
                ""
                if code == 0 and what == "die half-way"
                else f"exit code {code}: {self.log.read_text()[-300:]}"
            )
        left = warm.checkpoints_of(self.run)
        for path in left:
            checkpoints.read(path)
        if replacing:
            return self.one_is_whole() or self.end(words)
        names = self.calls.read_text().split()
        renamed = [i for i, name in enumerate(names) if name == "replace"][1:]  # the first is config.json
        lasting = 1 if what == "cut, renames lost" else 0  # the newest rename may not have lasted
        done = [i for i in renamed if i < at or what == "die after"][lasting:]
        if done and not left:
            return "no checkpoint is left"
        return self.end()

    def one_is_whole(self):
        """Return what is wrong with what a reader finds where an earlier run was to be replaced."""
        open_run(self.run)  # settles what was half moved
        if snapshot(self.run) == self.earlier:
            return ""
        same = warm.same_weights(self.run / "model.recurra", self.whole / "model.recurra")
        return "" if same and not torn(self.run) else "neither the earlier run nor the new one is there"

    def full(self, at):
        """Let the disk be full from a call on, with an earlier run in the folder; return what is wrong afterwards."""
        shutil.copytree(self.place / "first", self.run)
        args = [*self.words(self.run), "--force"]
        code = warm.wait(warm.fork(args, self.log, first=Shim(at, "full", self.calls).install))
        return self.judged(code)

    def judged(self, code):
        last = (self.log.read_text().strip().splitlines() or [""])[-1]
        if code == 0:  # the place of the failing call was beyond the last that needs space
            return (
                ""
                if warm.same_weights(self.run / "model.recurra", self.whole / "model.recurra")
                else "weights"
            )
        if (
            code != 1
            or not last.startswith("Error: ")
            or "No space left on device. What was there" not in last
        ):
            return f"exit code {code}: {last}"
        if snapshot(self.run) != self.earlier:
            return "the earlier run has changed"
        beside = self.place / ".run.new"
        if beside.exists() and torn(beside):
            return f"torn: {torn(beside)}"
        if beside.exists() != ("recurra resume" in last):
            return f"the way on is not said, or said wrongly: {last}"
        return self.end() if beside.exists() else ""


PARTS = ("deaths", "full", "replacing")


def by_call(attack, stride, parts=PARTS):
    """Die and run full at every call."""
    found = {"wrong": []}
    for part in parts:
        for name, at, attempt in ATTEMPTS[part](attack, stride, found):
            if wrong := attempt():
                found["wrong"].append(f"{name} at call {at}: {wrong}")
            attack.clear()
            found[part] = found.get(part, 0) + 1
            print(
                f"{part} {found[part]}: {name} at call {at}, {len(found['wrong'])} wrong",
                file=sys.stderr,
                flush=True,
            )
    return found


def deaths(attack, stride, found):
    attack.unjudged()
    names = attack.count()
    found |= {"calls": len(names)} | {name: names.count(name) for name in sorted(set(names))}
    for at in range(0, len(names), stride):
        for what, calls in WAYS.items():
            if not calls or names[at] in calls:
                if what.startswith("cut"):
                    found["power_cuts"] = found.get("power_cuts", 0) + 1
                yield f"{what} ({names[at]})", at, functools.partial(attack.death, at, what)
    attack.judged_again()


def full(attack, stride, found):
    needing = [(at, name) for at, name in enumerate(attack.count()) if name in Shim.NEEDS_SPACE]
    for at, name in needing[::stride]:
        yield f"full ({name})", at, functools.partial(attack.full, at)


def replacing(attack, stride, found):
    moves = [(at, name) for at, name in enumerate(attack.count(replacing=True)) if name in MOVES]
    for at, name in moves[::stride]:
        for what in ("die before", "die after"):
            yield f"{what} ({name})", at, functools.partial(attack.death, at, what, replacing=True)


ATTEMPTS = {"deaths": deaths, "full": full, "replacing": replacing}


def by_size(attack, stride):
    """Run in file systems of every size from a page up, until a run fits."""
    found = {"sizes": 0, "full": 0, "wrong": []}
    mount = attack.place / "small"
    mount.mkdir()
    fits = 0
    pages = 16  # the earlier run alone takes more
    while not fits:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={4096 * pages}", "tmpfs", str(mount)], check=True
        )
        try:
            attack.run = mount / "run"
            try:
                shutil.copytree(attack.place / "first", attack.run)
            except (OSError, shutil.Error):
                pages += stride
                continue
            kept, attack.place = attack.place, mount
            try:
                args = [*attack.words(attack.run), "--force"]
                code = warm.wait(warm.fork(args, attack.log))
                fits = code == 0
                subprocess.run(["mount", "-o", "remount,size=64m", str(mount)], check=True)  # space is freed
                if wrong := attack.judged(code):
                    found["wrong"].append(f"{pages} pages: {wrong}")
            finally:
                attack.place = kept
            found["sizes"] += 1
            found["full"] += not fits
        finally:
            subprocess.run(["umount", str(mount)], check=True)
        pages += stride
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stride", type=int, default=1, help="take every so many-th call, or size in pages")
    parser.add_argument("--tmpfs", action="store_true", help="mount small file systems of every size")
    parser.add_argument("--part", choices=PARTS, help="one of them alone")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        attack = Attack(Path(place))
        parts = PARTS if given.part is None else (given.part,)
        found = by_size(attack, given.stride) if given.tmpfs else by_call(attack, given.stride, parts)
        assert RunFolder(attack.whole).config()
    command = f"python tests/attacks/every_write.py --stride {given.stride}" + " --tmpfs" * given.tmpfs
    command += f" --part {given.part}" if given.part else ""
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
