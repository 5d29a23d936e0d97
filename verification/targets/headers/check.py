#!/usr/bin/env python3
"""Compares the declarations of the ffi.rs files with the headers of each system. `check.sh` prepares the tools and shows
the usage.

For each target:

1. rustdoc lists the declarations that the files have on this target, where `cfg` selects them (declared.py).
2. zig's C++ compiler, whose package contains the headers, evaluates the same names. The language is C++ because its
   templates can decompose a function's type. No program is run: each fact is an operand in the assembly (headers.py,
   types.h).
3. rustc compiles the files again. Each contains a module of assertions, for example that the constant in Rust equals the
   constant in C. rustc evaluates the Rust side for the target (facts.py, types.rs).

`exceptions` must list every difference.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import re
import sys
from pathlib import Path

import self_test
from declared import Sources, declared, shown
from facts import compile_facts, facts_of, facts_of_built_in_types, write_module
from headers import Headers, described
from tools import HERE, NONE, Failed, Toolchain

def read_targets(file):
    """rustc's name of each target, zig's name for it, and which headers zig has for it."""
    rows = [line.split() for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return [(row[0], None if row[3] == "none" else row[3], row[4].strip("-") or None) for row in rows if row[3] != "-"]


TARGETS = read_targets(HERE.parent / "targets.txt")


class AllowedDifference:
    """A line of `exceptions`."""

    def __init__(self, number, what, where, why):
        self.number, self.what, self.where, self.why = number, what, where, why

    def covers(self, fact, target):
        here = any(fnmatch.fnmatch(target, where) for where in self.where.split())
        return here and fnmatch.fnmatch(fact.key, self.what)


def read_exceptions(file):
    exceptions = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            parts = [part.strip() for part in line.split(" | ")]
            if len(parts) != 3 or not all(parts):
                raise Failed(f"{file.name}:{number}: not `what | where | why`")
            exceptions.append(AllowedDifference(number, *parts))
    return exceptions


class Report:
    """The result for one target."""

    def __init__(self, target):
        self.target = target
        self.items = []
        self.facts, self.wrong, self.used_exceptions = 0, [], set()
        self.mutants, self.missed = 0, []

    def good(self):
        return not self.wrong and not self.missed


class Check:
    def __init__(self, sources, exceptions, toolchain, build, with_self_test):
        self.sources, self.exceptions, self.toolchain, self.build = sources, exceptions, toolchain, build
        self.with_self_test = with_self_test

    def target(self, target, zig_target, system):
        report = Report(target)
        try:
            self.fill(report, zig_target, system)
        except Failed as failed:
            report.wrong.append(str(failed))
        return report

    def fill(self, report, zig_target, system):
        sources, toolchain, target, folder = self.sources, self.toolchain, report.target, self.build / report.target
        folder.mkdir(parents=True, exist_ok=True)
        toolchain.standard_library(target)
        report.items = declared(sources, target, toolchain, folder / "declared")
        if zig_target is None:
            return
        items = [item for item in report.items if item.what != "code"]
        names = sorted({item.name for item in items if item.what == "struct"})
        records = {name: number for number, name in enumerate(names, 1)}
        headers = Headers(target, zig_target, system, toolchain, folder)
        headers.add_items(items, records)
        headers.read()
        facts = [fact for item in items for fact in facts_of(item, headers)]
        built_in = list(facts_of_built_in_types(headers))

        lines = {}

        def inside(file):
            items_of_file = [item for item in items if item.file == file]
            module = folder / f"{file}_facts.rs"
            own = [fact for fact in facts if fact.item.file == file]
            lines[str(module)] = write_module(module, own, items_of_file, records, ["use super::*;"])
            return f'\n#[path = "{module}"]\nmod facts;\n'

        lib = sources.crate(folder / "facts", inside)
        module = folder / "built_in_facts.rs"
        lines[str(module)] = write_module(module, built_in, [], records, ["use core::ffi::*;"])
        with open(lib, "a") as end:
            end.write(f'#[path = "{module}"]\nmod built_in_facts;\n')
        facts += built_in
        found = {}
        for _, fact, what in compile_facts(lib, target, toolchain, folder, lines):
            if fact is None:
                raise Failed(f"rustc: {what}")
            found.setdefault(fact, what)
        self.judge(report, facts, found, {number: name for name, number in records.items()})

        if self.with_self_test:
            asserted = [fact for fact in facts if fact.line is not None and fact not in found]
            self_test.compared_by_rustc(report, sources, items, asserted, records, headers, toolchain, folder)
            compared = {fact.key for fact in facts if fact.line is None and fact.ours == fact.theirs is not None}
            self_test.compared_here(report, sources, items, compared, self.exception_for, headers, toolchain, folder)

    def exception_for(self, fact, target):
        return next((exception for exception in self.exceptions if exception.covers(fact, target)), None)

    def judge(self, report, facts, found, names):
        """`found` maps each fact that differs from the headers to the value that rustc reports."""
        other_shape = {fact.item for fact in found if fact.key.endswith(": parameters")}
        for fact in facts:
            ours, theirs = found.get(fact, fact.ours), fact.theirs
            if fact not in found and (fact.line is not None or ours == theirs is not None):
                report.facts += 1
                continue
            if exception := self.exception_for(fact, report.target):
                report.used_exceptions.add(exception)
                continue
            where = f"{shown(fact.item.file)}: {fact.key}" if fact.item else fact.key
            if fact.is_unknown():
                report.wrong.append(f"{where}: not in the headers")
            elif fact.key.endswith(": parameters"):
                report.wrong.append(f"{where}: {theirs} in the headers, not so here")
            elif fact.item is None or fact.item not in other_shape:
                ours, theirs = (
                    "None" if it == NONE else described(it, names) if fact.typed and isinstance(it, int) else it
                    for it in (ours, theirs)
                )
                report.wrong.append(f"{where}: {ours} here, {theirs} in the headers")


def unseen(sources, reports):
    """Declarations in a file that exist on none of the targets."""
    seen = {(item.file, line, item.name) for report in reports for item in report.items
            for line in range(item.span["begin"][0], item.span["end"][0] + 1)}
    declaration = re.compile(r"(?<!\*)\b(?:const|static|type|struct|union|enum|fn)\s+(?!fn\b|_\b)(\w+)")
    for file, text in sources.text.items():
        in_code = False
        for number, line in enumerate(text.splitlines(), 1):
            in_code = in_code and line != "}" or line.startswith("impl")
            for name in declaration.findall(line.split("//")[0]):
                if not in_code and (file, number, name) not in seen:
                    yield f"{shown(file)}:{number}: {name}: none of the targets has this"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--self-test", action="store_true")
    arguments.add_argument("--source", default=HERE.parent.parent.parent / "src", type=Path)
    for name in ("cache", "zig", "rust-source", "build"):
        arguments.add_argument(f"--{name}", required=True, type=Path)
    arguments.add_argument("targets", nargs="*")
    arguments = arguments.parse_args()
    if unknown := set(arguments.targets) - {target for target, _, _ in TARGETS}:
        raise Failed(f"no such target: {' '.join(sorted(unknown))}")
    wanted = [target for target in TARGETS if not arguments.targets or target[0] in arguments.targets]

    build = arguments.build.resolve()
    sources, exceptions = Sources(arguments.source.resolve()), read_exceptions(HERE / "exceptions")
    toolchain = Toolchain(arguments.cache.resolve(), arguments.zig, arguments.rust_source)
    check = Check(sources, exceptions, toolchain, build, arguments.self_test)

    passed = failed = 0
    reports = []

    def result(good, text, problems):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        print(f"  {'ok ' if good else 'not'} {text}", *problems, sep="\n        ", flush=True)

    def counted(facts, mutants):
        return f"{facts} facts" + (f", {mutants} changes of one fact" if arguments.self_test else "")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (_, zig_target, _), report in zip(wanted, pool.map(lambda target: check.target(*target), wanted)):
            reports.append(report)
            if zig_target is None and report.good():
                print(f"  --  {report.target}: no headers", flush=True)
            else:
                summary = f"{report.target}: {counted(report.facts, report.mutants)}"
                result(report.good(), summary, report.wrong + report.missed)

    if not arguments.targets:
        problems = list(unseen(sources, reports))
        needed = set().union(*(report.used_exceptions for report in reports))
        problems += [f"exceptions:{exception.number}: no target needs `{exception.what} | {exception.where}`"
                     for exception in exceptions if exception not in needed]
        if arguments.self_test and not self_test.unseen_is_detected(sources, lambda spoiled: unseen(spoiled, reports)):
            problems.append("a constant for a system that is none of the targets was not detected")
        result(not problems, f"every declaration exists on some target, and {len(needed)} exceptions are needed", problems)
    print(counted(sum(report.facts for report in reports), sum(report.mutants for report in reports)))
    print(f"{passed} passed, {failed} failed")
    return failed == 0 and passed > 0


if __name__ == "__main__":
    try:
        sys.exit(not main())
    except Failed as failed:
        sys.exit(f"headers: {failed}")
