#!/usr/bin/env python3
"""Checks that tests notice broken code: changes one rule at a time in a copy, and runs the tests that must then fail.

    run.py TABLE [WORD]      the mutants of a table (wait, iocp, kqueue-model, oracle or signals), or those with WORD in their names
    run.py --check           checks that every mutant of all tables fits the sources, without building it

A table is a text file beside this program. A mutant is a block of lines:

    === its name
    the path of a source file: the tests that must fail
    - the text to replace, of one or more lines; it must occur exactly once in the file
    + the new text, or nothing

A mutant may replace several texts. Lines that begin with `#` are comments. If a mutant names several tests, all of
them must fail in the table kqueue-model, and at least one in the other tables.

These are failures: a text that does not occur exactly once, a test that does not exist, a mutant that does not compile,
a mutant with which too few tests fail, a test that fails without it. A test that hangs counts as failed if it runs
alone.
In the tables oracle and signals, the folder of the file selects the system: mutants of `src/kqueue` run over the kqueue model, those
of `src/iocp` and `src/windows` under Wine, the others natively.
CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# For each table: the package whose tests run, cargo's arguments and environment, and the time limit of a test program
# in seconds. The package is built again for each mutant, and its tests run for a short time, so builds are not
# optimised.
TABLES = {
    "wait": {
        "package": "verification/wait",
        "arguments": ["--release", "--lib"],
        "environment": {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "0"},
        "seconds": 300,
    },
    "iocp": {
        "package": "verification/windows/fake-afd",
        "arguments": ["--lib"],
        "environment": {"CARGO_PROFILE_DEV_OPT_LEVEL": "0", "CARGO_PROFILE_DEV_DEBUG": "0", "SEEDS": "2000"},
        "seconds": 300,
    },
    "kqueue-model": {"package": "verification/kqueue/model", "arguments": [], "environment": {}, "seconds": 60},
    "oracle": {
        "package": ".",
        "arguments": ["--test", "oracle"],
        "environment": {"ORACLE_STEPS": "100000"},
        "seconds": 300,
    },
    "signals": {"package": ".", "arguments": ["--test", "isolated"], "environment": {}, "seconds": 100},
}


def target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def system_of(table, file):
    """The system on which the mutants of a file run: "kqueue", "windows", or "" for this machine's own."""
    folders = {"src/kqueue/": "kqueue", "src/iocp/": "windows", "src/windows/": "windows"}
    found = [system for folder, system in folders.items() if file.startswith(folder)]
    return found[0] if table in ("oracle", "signals") and found else ""


@lru_cache(maxsize=None)
def set_up(system):
    """Additional cargo arguments, additional environment, and the command that runs a program, for a system."""
    if system == "kqueue":
        target = target_folder() / "kqueue-model"
        manifest = ROOT / "verification/kqueue/model/Cargo.toml"
        command = ["cargo", "build", "--quiet", "--release", "--manifest-path", str(manifest)]
        subprocess.run(command, env=dict(os.environ, CARGO_TARGET_DIR=str(target)), check=True)
        model = target / "release"
        flags = f"--cfg minimio_kqueue -L native={model} -l dylib=kqueue_model -C link-arg=-Wl,-rpath,{model}"
        return [], {"RUSTFLAGS": flags}, []
    if system == "windows":
        script = ". verification/setup/wine-setup.sh >&2 && env -0"
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        variables = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
        exports = {name: value for name, value in variables.items() if name.startswith("CARGO_TARGET_X86_64")}
        # A step takes ten times longer.
        exports["ORACLE_STEPS"] = "20000"
        return ["--target", "x86_64-pc-windows-gnu"], exports, [str(ROOT / "verification/setup/wine-run.sh")]
    return [], {}, []


# Only one runner sets up a system at a time.
SETTING_UP = threading.Lock()


class Mutant:
    def __init__(self, name):
        self.name, self.file, self.tests, self.edits = name, None, [], []


def read_table(table):
    mutants = []
    for number, line in enumerate((Path(__file__).parent / f"{table}.txt").read_text().splitlines(), 1):
        mark, text = line[:1], line[2:]
        if line.startswith("=== "):
            mutants.append(Mutant(line[4:]))
        elif mark in ("", "#"):
            continue
        elif mark == "-":
            if not mutants[-1].edits or mutants[-1].edits[-1][1]:
                mutants[-1].edits.append(([], []))
            mutants[-1].edits[-1][0].append(text)
        elif mark == "+":
            mutants[-1].edits[-1][1].append(text)
        elif ": " in line:
            mutants[-1].file, tests = line.split(": ", 1)
            mutants[-1].tests = tests.split()
        else:
            sys.exit(f"{table}.txt:{number}: not a line of a mutant: {line}")
    for mutant in mutants:
        mutant.edits = [("\n".join(find), "\n".join(replace)) for find, replace in mutant.edits]
    return mutants


def mutate(mutant, text):
    """The text with all edits, or None and the reason."""
    if not mutant.file or not mutant.tests or not mutant.edits:
        return None, "it has no file, no test or no text"
    for find, replace in mutant.edits:
        count = text.count(find)
        if count != 1:
            return None, f"{mutant.file} has this text {count} times: {find.strip().splitlines()[0]}"
        text = text.replace(find, replace)
    return text, None


def test_functions(table):
    """The names of all tests in the sources of a table's package, without their modules."""
    package = ROOT / TABLES[table]["package"]
    files = [file for folder in ("src", "tests") for file in sorted((package / folder).rglob("*.rs"))]
    return {name for file in files for name in re.findall(r"#\[test\]\s*(?:#\[.*\]\s*)*fn (\w+)", file.read_text())}


def misfits(table):
    """The names of mutants that do not fit the sources, with the reasons."""
    known = test_functions(table)
    found = []
    for mutant in read_table(table):
        file = ROOT / (mutant.file or "")
        reason = mutate(mutant, file.read_text())[1] if file.is_file() else f"there is no file {mutant.file}"
        absent = [test for test in mutant.tests if test.split("::")[-1] not in known]
        if reason or absent:
            found.append((mutant.name, reason or f"there is no test {' '.join(absent)}"))
    return found


class Runner:
    """Builds and tests mutants of a table in a copy of its own. `number` distinguishes runners that work in parallel."""

    def __init__(self, table, work, number):
        self.settings = TABLES[table]
        self.work = Path(work)
        self.number = str(number)
        self.package = self.work / self.settings["package"]
        self.copy("src")
        if self.package == self.work:
            for name in ("tests", "examples"):
                self.copy(name)
            shutil.copy(ROOT / "Cargo.toml", self.work)
        else:
            self.copy(self.settings["package"])

    def copy(self, folder):
        # The copies get new times. With the old times, cargo would take the last mutant of an earlier run for a build of
        # these sources.
        ignore = shutil.ignore_patterns("target")
        shutil.copytree(ROOT / folder, self.work / folder, ignore=ignore, copy_function=shutil.copy)

    def select(self, system):
        """Builds and runs for this system from now on."""
        with SETTING_UP:
            arguments, environment, self.command = set_up(system)
        self.arguments = [*self.settings["arguments"], *arguments]
        target = target_folder() / "mutations" / self.number / system
        common = dict(os.environ, CARGO_TARGET_DIR=str(target), RUST_BACKTRACE="0", **self.settings["environment"])
        self.environment = dict(common, **environment)

    def build(self):
        """The test programs by name (`lib` for the library's own tests), or the compiler's first error."""
        done = subprocess.run(
            ["cargo", "test", "--no-run", "--message-format", "short", *self.arguments],
            cwd=self.package, env=self.environment, capture_output=True, text=True,
        )
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            return None, errors[0] if errors else done.stderr[-200:]
        programs = {}
        for source, program in re.findall(r"^ *Executable (?:unittests )?(\S+) \((.*)\)$", done.stderr, re.M):
            name = Path(source).parent.name if source.endswith("/main.rs") else Path(source).stem
            programs[name] = program if Path(program).is_absolute() else str(self.package / program)
        return programs, None

    def run(self, programs, tests):
        """The tests that failed, and the end of the output. A test of `tests/a.rs` is named `a::test`."""
        failed, output = set(), ""
        groups = {}
        for test in tests:
            first, _, rest = test.partition("::")
            program, name = (first, rest) if first in programs and first != "lib" else ("lib", test)
            groups.setdefault(program, []).append((test, name))
        for program, named in groups.items():
            if program not in programs:
                return set(), f"there is no test program {program}"
            command = [*self.command, programs[program], "--test-threads", "1", "--exact", *(name for _, name in named)]
            try:
                done = subprocess.run(
                    command, cwd=self.package, env=self.environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=self.settings["seconds"],
                )
                output = done.stdout.decode(errors="replace")
            except subprocess.TimeoutExpired as expired:
                output = (expired.stdout or b"").decode(errors="replace")
                if len(named) == 1:
                    failed.add(named[0][0])
            for test, name in named:
                # A panic of one test can abort the program before it prints its summary.
                signs = [f"^test {name} \\.\\.\\. FAILED$", f"^thread '{name}'.* panicked at ", f"^{name} hangs$", f"^    {name}$"]
                if any(re.search(sign, output, re.M) for sign in signs):
                    failed.add(test)
        return failed, output[-300:].strip().replace("\n", " ")


def run_table(table, word):
    mutants = [mutant for mutant in read_table(table) if word in mutant.name]
    passed, failed = 0, 0
    all_or_any = any if table != "kqueue-model" else all
    misfit = dict(misfits(table))
    seen = set()
    printing = threading.Lock()

    def result(kind, name, detail=""):
        nonlocal passed, failed
        with printing:
            passed, failed = passed + (kind == "caught"), failed + (kind != "caught")
            print(f"{kind:8} {name}" + (f"\n         {detail}" if detail else ""), flush=True)

    def check(mutants, number):
        with tempfile.TemporaryDirectory() as work:
            check_in(work, mutants, Runner(table, work, number))

    def check_in(work, mutants, runner):
        originals, good = {}, {}
        for mutant in mutants:
            if mutant.name in misfit:
                result("FAILED", mutant.name, misfit[mutant.name])
                continue
            system = system_of(table, mutant.file)
            runner.select(system)
            if system not in originals:
                programs, error = runner.build()
                if error:
                    sys.exit(f"the original does not compile: {error}")
                # The next build replaces the programs, so the originals are copied.
                copies = {name: Path(work) / f"original-{system}{name}{Path(path).suffix}" for name, path in programs.items()}
                originals[system] = {name: shutil.copy(programs[name], copy) for name, copy in copies.items()}
                good[system] = set()
            unproved = [test for test in mutant.tests if test not in good[system]]
            broken, output = runner.run(originals[system], unproved) if unproved else (set(), "")
            if broken or "there is no test program" in output:
                result("FAILED", mutant.name, f"fails without the mutant too: {' '.join(sorted(broken))} {output}")
                continue
            good[system].update(unproved)
            file = Path(work) / mutant.file
            original = file.read_text()
            file.write_text(mutate(mutant, original)[0])
            programs, error = runner.build()
            if error:
                result("FAILED", mutant.name, f"it does not compile: {error}")
            else:
                noticed, output = runner.run(programs, mutant.tests)
                seen.update(noticed)
                if all_or_any(test in noticed for test in mutant.tests):
                    result("caught", mutant.name, " ".join(sorted(noticed)))
                else:
                    missed = sorted(set(mutant.tests) - noticed)
                    result("SURVIVED", mutant.name, f"not noticed by {' '.join(missed)}: {output}")
            file.write_text(original)

    # One worker for each processor, each with every n-th mutant.
    workers = os.cpu_count()
    with ThreadPoolExecutor(workers) as pool:
        # `list` raises the exception of a worker that has ended by one.
        list(pool.map(lambda number: check(mutants[number::workers], number), range(workers)))
    if table == "kqueue-model" and not word:
        # The model's tests are checked completely: each must have failed for a mutant.
        for name in sorted(test_functions(table) - {test.split("::")[-1] for test in seen}):
            result("FAILED", f"no mutant made this test fail: {name}")
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main():
    arguments = sys.argv[1:]
    if arguments == ["--check"]:
        passed, failed = 0, 0
        for table in TABLES:
            found = misfits(table)
            passed, failed = passed + len(read_table(table)) - len(found), failed + len(found)
            for name, reason in found:
                print(f"{table}: {name}: {reason}")
        print(f"{passed} passed, {failed} failed")
        return failed == 0
    if len(arguments) not in (1, 2) or arguments[0] not in TABLES:
        sys.exit("usage: run.py wait | iocp | kqueue-model | oracle | signals [WORD], or run.py --check")
    return run_table(arguments[0], arguments[1] if len(arguments) == 2 else "")


sys.exit(0 if main() else 1)
