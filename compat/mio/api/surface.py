#!/usr/bin/env python3
"""Writes a Rust file that names every public item of mio, from rustdoc's JSON description of mio.

    surface.py SYSTEM=mio.json …  >surface.rs
    surface.py SYSTEM=mio.json … --beyond SYSTEM=minimio.json …  >beyond-mio.txt     only the items that mio does not have

SYSTEM is the `target_os` of the target that the file describes. Items that are equal on all given systems appear once; the others
have a `cfg`. The same files always give the same output.

The output names modules by their items; types with their public fields and constants; functions and methods with their whole
signature (`const` and `unsafe` included); traits with each method, by an implementation; and every implementation of a trait that
a stable compiler can check, auto traits and derived ones included. It omits the standard library's blanket implementations, which
follow from those.
"""

import json
import sys
import textwrap

# Traits that a stable program cannot name, and `Drop`, which is not a part of the API.
UNNAMEABLE = {"Freeze", "StructuralPartialEq", "UnsafeUnpin", "Drop"}

# The public paths of standard library items that are defined in another module. Rust 1.63 has no `std::os::fd`.
PUBLIC_MODULES = {
    "std::net::tcp": "std::net",
    "std::net::udp": "std::net",
    "std::net::ip_addr": "std::net",
    "std::net::socket_addr": "std::net",
    "std::ffi::os_str": "std::ffi",
    "std::io::error": "std::io",
    "std::os::fd::owned": "std::os::unix::io",
    "std::os::fd::raw": "std::os::unix::io",
    "std::os::unix::net::addr": "std::os::unix::net",
    "std::os::unix::net::datagram": "std::os::unix::net",
    "std::os::unix::net::listener": "std::os::unix::net",
    "std::os::unix::net::stream": "std::os::unix::net",
    "std::os::windows::io::handle": "std::os::windows::io",
    "std::os::windows::io::raw": "std::os::windows::io",
    "std::os::windows::io::socket": "std::os::windows::io",
    "std::panic::unwind_safe": "std::panic",
    "std::ops::bit": "std::ops",
    "std::ops::function": "std::ops",
    "std::iter::traits::exact_size": "std::iter",
    "std::iter::traits::collect": "std::iter",
    "std::iter::traits::iterator": "std::iter",
}
# Names that need no path.
PRELUDE = set(
    "Box Clone Copy Eq From FnOnce Into IntoIterator Iterator Option Ord PartialEq PartialOrd AsRef Send Sized Sync "
    "Unpin".split()
)


HEADER = """\
//! Names every public item, method, field, constant and trait implementation of mio {version}, with its signature. The file
//! compiles with mio and with this crate. There is nothing to run.
//!
//! `compat/mio/api/check.sh --write` generates this file from rustdoc's description of mio on each system. Do not edit
//! it. Without `--write`, the script prints what is missing here.

#![allow(dead_code, unused_imports, clippy::all)]

#[cfg(unix)]
use std::os::unix;
#[cfg(windows)]
use std::os::windows;
use std::{{ffi, fmt, hash, io, net, ops, panic, path, process, time}};

/// Checks that a type implements traits.
macro_rules! has {{
    ($type:ty: $($bounds:tt)+) => {{
        const _: () = {{
            const fn is<T: $($bounds)+>() {{}}
            is::<$type>();
        }};
    }};
}}

/// Compiles items in a scope of their own, so that their names do not collide.
macro_rules! check {{
    ($($item:tt)+) => {{
        const _: () = {{ $($item)+ }};
    }};
}}
"""


BEYOND = """\
// The public items of minimio that mio does not have, or that mio declares in another way. `check.sh` compares this list
// with the crate, and `check.sh --write` writes it. Each line is Rust, but the types of `book` have the names of others."""


class Docs:
    """rustdoc's description of mio on one system."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as text:
            docs = json.load(text)
        self.index, self.paths, self.version = docs["index"], docs["paths"], docs["crate_version"]
        self.public = {}
        self.all_paths = {}
        self.foreign = []
        self.modules(docs["root"], [])

    def item(self, id):
        return self.index[str(id)]

    def modules(self, id, path):
        """Finds every path that a program can write."""
        items = self.item(id)["inner"]["module"]["items"]
        if path and not items:
            return
        for child in map(self.item, items):
            kind, inner = next(iter(child["inner"].items()))
            if kind == "module":
                self.modules(child["id"], path + [child["name"]])
            elif kind == "use":
                if str(inner["id"]) not in self.index:
                    self.foreign.append((path + [inner["name"]], {"id": inner["id"], "path": inner["source"]}))
                elif inner["is_glob"]:
                    self.modules(inner["id"], path)
                else:
                    self.found(inner["id"], path + [inner["name"]])
            else:
                self.found(child["id"], path + [child["name"]])

    def found(self, id, path):
        self.all_paths.setdefault(id, []).append(path)
        self.public[id] = min(self.all_paths[id], key=len)

    # Rust text from rustdoc's description. `this` is the type that `Self` stands for.

    def name(self, path):
        id, written = path["id"], path["path"]
        if id in self.public:
            return self.public[id][-1]
        summary = self.paths.get(str(id))
        if summary is None or summary["crate_id"] == 0:
            sys.exit(f"{written}: not public, but part of a public item")
        *modules, name = summary["path"]
        if name in PRELUDE or (name, modules[-1]) == ("Result", "result"):
            return name
        modules = "::".join(["std"] + modules[1:])
        return f"{PUBLIC_MODULES.get(modules, modules)}::{name}".replace("std::os::", "").replace("std::", "")

    def path(self, path, this, constraints=()):
        return self.name(path) + self.arguments(path["args"], this, constraints)

    def arguments(self, arguments, this, constraints=()):
        if arguments and "parenthesized" in arguments:
            call = arguments["parenthesized"]
            inputs = ", ".join(self.type(input, this) for input in call["inputs"])
            return f"({inputs})" + self.output(call["output"], this)
        words = []
        if arguments:
            for argument in arguments["angle_bracketed"]["args"]:
                kind, inner = next(iter(argument.items()))
                words.append(inner if kind == "lifetime" else self.type(inner, this))
            for constraint in arguments["angle_bracketed"]["constraints"]:
                words.append(f"{constraint['name']} = {self.type(constraint['binding']['equality']['type'], this)}")
        words.extend(constraints)
        return f"<{', '.join(words)}>" if words else ""

    def type(self, type, this):
        kind, inner = next(iter(type.items()))
        if kind == "generic":
            return this if inner == "Self" else inner
        if kind == "primitive":
            return {"never": "!", "unit": "()"}.get(inner, inner)
        if kind == "resolved_path":
            return self.path(inner, this)
        if kind == "borrowed_ref":
            lifetime = f"{inner['lifetime']} " if inner["lifetime"] else ""
            mutable = "mut " if inner["is_mutable"] else ""
            return f"&{lifetime}{mutable}{self.type(inner['type'], this)}"
        if kind == "slice":
            return f"[{self.type(inner, this)}]"
        if kind == "tuple":
            members = [self.type(member, this) for member in inner]
            return f"({members[0]},)" if len(members) == 1 else f"({', '.join(members)})"
        if kind == "qualified_path":
            trait = self.path(inner["trait"], this)
            return f"<{self.type(inner['self_type'], this)} as {trait}>::{inner['name']}"
        if kind == "impl_trait":
            return f"impl {self.bounds(inner, this)}"
        sys.exit(f"unknown kind of type: {type}")

    def output(self, output, this):
        return f" -> {self.type(output, this)}" if output else ""

    def bounds(self, bounds, this):
        words = []
        for bound in bounds:
            kind, inner = next(iter(bound.items()))
            if kind == "outlives":
                words.append(inner)
            else:
                maybe = "?" if inner["modifier"] == "maybe" else ""
                words.append(maybe + self.path(inner["trait"], this))
        return " + ".join(words)

    def generics(self, generics, this):
        """Returns the parameters, `<…>`; the names of the types in them; the lifetimes; and the `where`."""
        declared, names, lifetimes = [], [], []
        for parameter in generics["params"]:
            kind, inner = next(iter(parameter["kind"].items()))
            if kind == "lifetime":
                declared.append(parameter["name"])
                lifetimes.append(parameter["name"])
            elif kind == "type" and not inner["is_synthetic"]:
                bounds = self.bounds(inner["bounds"], this)
                declared.append(parameter["name"] + (f": {bounds}" if bounds else ""))
                names.append(parameter["name"])
            elif kind != "type":
                sys.exit(f"unknown kind of parameter: {parameter}")
        predicates = []
        for predicate in generics["where_predicates"]:
            inner = predicate["bound_predicate"]
            predicates.append(f"{self.type(inner['type'], this)}: {self.bounds(inner['bounds'], this)}")
        where = f" where {', '.join(predicates)}" if predicates else ""
        return f"<{', '.join(declared)}>" if declared else "", names, lifetimes, where

    # Entries: Rust that compiles only if the item exists and equals mio's item.

    def function(self, item, this, owner):
        """A function or a method; `owner` is the path before its name."""
        inner = item["inner"]["function"]
        signature, header = inner["sig"], inner["header"]
        unsafe = "unsafe " if header["is_unsafe"] else ""
        inputs = [self.type(type, this) for _, type in signature["inputs"]]
        output = self.output(signature["output"], this)
        pointer = f"{unsafe}fn({', '.join(inputs)}){output}"
        callee = f"{owner}{item['name']}"
        declared, names, _, where = self.generics(inner["generics"], this)
        if not declared:
            yield f"const _: {pointer} = {callee};"
        else:
            arguments = f"::<{', '.join(names)}>" if names else ""
            yield f"check! {{ fn of{declared}(){where} {{ let _: {pointer} = {callee}{arguments}; }} }}"
        if header["is_const"]:
            declared_inputs = ", ".join(f"input_{number}: {type}" for number, type in enumerate(inputs))
            arguments = ", ".join(f"input_{number}" for number in range(len(inputs)))
            yield (
                f"check! {{ const {unsafe}fn is_const{declared}({declared_inputs}){output}{where} "
                f"{{ {callee}({arguments}) }} }}"
            )

    def struct(self, item, name):
        kind = item["inner"]["struct"]["kind"]
        declared, _, _, _ = self.generics(item["inner"]["struct"]["generics"], name)
        this = name + declared
        fields = kind["tuple"] if "tuple" in kind else [None]
        if "tuple" in kind and None not in fields:
            types = [self.type(self.item(id)["inner"]["struct_field"], this) for id in fields]
            inputs = ", ".join(f"field_{number}: {type}" for number, type in enumerate(types))
            names = ", ".join(f"field_{number}" for number in range(len(types)))
            outputs, named = (types[0], names) if len(types) == 1 else (f"({', '.join(types)})", f"({names})")
            yield f"check! {{ const fn construct{declared}({inputs}) -> {this} {{ {name}({names}) }} }}"
            yield f"check! {{ fn destructure{declared}({name}({names}): {this}) -> {outputs} {{ {named} }} }}"
        elif "plain" in kind and kind["plain"]["fields"]:
            if kind["plain"]["has_stripped_fields"]:
                sys.exit(f"{name}: public fields beside private ones are not supported")
            members = [self.item(id) for id in kind["plain"]["fields"]]
            fields = [(member["name"], self.type(member["inner"]["struct_field"], this)) for member in members]
            inputs = ", ".join(f"{field}: {type}" for field, type in fields)
            names = ", ".join(field for field, _ in fields)
            types = ", ".join(type for _, type in fields)
            yield f"check! {{ const fn construct{declared}({inputs}) -> {this} {{ {name} {{ {names} }} }} }}"
            yield f"check! {{ fn destructure{declared}({name} {{ {names} }}: {this}) -> ({types},) {{ ({names},) }} }}"
        for id in item["inner"]["struct"]["impls"]:
            inner = self.item(id)["inner"]["impl"]
            if inner["trait"] is None:
                of = self.type(inner["for"], "Self")
                for member in map(self.item, inner["items"]):
                    if "assoc_const" in member["inner"]:
                        type = self.type(member["inner"]["assoc_const"]["type"], of)
                        yield f"const _: {type} = {of}::{member['name']};"
                    else:
                        yield from self.function(member, of, f"{of}::")

    def trait(self, item, name):
        inner = item["inner"]["trait"]
        methods = []
        for member in map(self.item, inner["items"]):
            function = member["inner"]["function"]
            signature = function["sig"]
            inputs = [self.type(type, "S") for _, type in signature["inputs"]]
            output = self.output(signature["output"], "S")
            yield (
                f"check! {{ fn of<S: {name} + ?Sized>() "
                f"{{ let _: fn({', '.join(inputs)}){output} = <S as {name}>::{member['name']}; }} }}"
            )
            inputs = ", ".join(f"_: {self.type(type, 'Self')}" for _, type in signature["inputs"][1:])
            receiver = {"&mut Self": "&mut self", "&Self": "&self", "Self": "self"}[
                self.type(signature["inputs"][0][1], "Self")
            ]
            methods.append(
                f"fn {member['name']}({receiver}, {inputs}){self.output(signature['output'], 'Self')} {{ loop {{}} }}"
            )
        yield f"check! {{ struct Own; impl {name} for Own {{ {' '.join(methods)} }} }}"
        if inner["is_dyn_compatible"]:
            yield f"const _: fn(&dyn {name}) = |_| ();"

    def entries(self):
        """Yields (section, entry) for all items; an entry is Rust, or a pair of a type and a trait."""
        for id, path in self.public.items():
            item, name = self.item(id), path[-1]
            section = "::".join(path)
            for other in self.all_paths[id]:
                if other != path:
                    yield section, f"const _: fn({name}) -> minimio::{'::'.join(other)} = |same| same;"
            kind = next(iter(item["inner"]))
            if kind == "struct":
                entries = self.struct(item, name)
            elif kind == "trait":
                entries = self.trait(item, name)
            elif kind == "type_alias":
                entries = [f"type {name} = {self.type(item['inner']['type_alias']['type'], name)};"]
            elif kind == "function":
                entries = self.function(item, "Self", f"minimio::{'::'.join(path[:-1])}::")
            else:
                sys.exit(f"{section}: {kind} is not supported")
            for entry in entries:
                yield section, entry
        for path, foreign in self.foreign:
            path = "::".join(path)
            yield path, f"const _: fn(minimio::{path}) -> {self.name(foreign)} = |same| same;"
        for item in self.index.values():
            inner = item["inner"].get("impl")
            if inner and inner["trait"] and not inner["blanket_impl"]:
                yield from self.implementation(inner)

    def implementation(self, inner):
        owner = self.owner(inner)
        trait_name = (self.paths.get(str(inner["trait"]["id"])) or {"path": [inner["trait"]["path"]]})["path"][-1]
        if owner is None or trait_name in UNNAMEABLE:
            return
        this = self.type(inner["for"], "Self")
        constraints = []
        for member in map(self.item, inner["items"]):
            if "assoc_type" in member["inner"]:
                type = self.type(member["inner"]["assoc_type"]["type"], this)
                constraints.append(f"{member['name']} = {type}")
        trait = self.path(inner["trait"], this, constraints)
        declared, types, lifetimes, where = self.generics(inner["generics"], this)
        section = "::".join(self.public[owner])
        if inner["is_negative"]:
            yield section, f"// In mio, `{this}` is not `{trait}`."
        elif types or any(lifetime in trait for lifetime in lifetimes):
            parameters = ", ".join(lifetimes + [f"I: {trait}"])
            yield section, f"check! {{ fn of{declared}(){where} {{ fn is<{parameters}>() {{}} is::<{this}>(); }} }}"
        else:
            for lifetime in lifetimes:
                this = this.replace(f"&{lifetime} ", "&").replace(lifetime, "'static")
            yield section, (this, trait)

    def owner(self, inner):
        """Returns the public item of an implementation: its type, else a type argument of its trait, else the trait."""
        found = list(mentioned(inner["for"])) + list(mentioned(inner["trait"]["args"])) + [inner["trait"]["id"]]
        return next((id for id in found if id in self.public), None)


def mentioned(part):
    """Yields the ids of all types in a part of rustdoc's description, outermost first."""
    if isinstance(part, dict):
        if "id" in part and "path" in part:
            yield part["id"]
        for inner in part.values():
            yield from mentioned(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from mentioned(inner)


def condition(systems, all_systems):
    """Returns the `cfg` that holds exactly on these systems."""
    if systems == all_systems:
        return None
    if systems == all_systems - {"windows"}:
        return "unix"
    if systems == {"windows"}:
        return "windows"
    words = [f'target_os = "{system}"' for system in sorted(systems)]
    return words[0] if len(words) == 1 else f"any({', '.join(words)})"


def wrapped(entry):
    """The lines of a macro's call. rustfmt does not format the arguments."""
    return textwrap.wrap(entry, 112, subsequent_indent="    ")


def read(words):
    return {system: Docs(file) for system, file in (word.split("=", 1) for word in words)}


def key(section, entry):
    """Identifies an entry, whichever public path its section has. The book's types have the names of other types."""
    path = section if section.startswith("book::") else section.split("::")[-1]
    return path, str(entry).replace("'_", "'static")


def main():
    split = sys.argv.index("--beyond") if "--beyond" in sys.argv else 0
    mio, docs = read(sys.argv[1:split]), read(sys.argv[split + 1 :])
    known = {(system, key(*item)) for system, of_system in mio.items() for item in of_system.entries()}
    all_systems = frozenset(docs)
    sections, uses = {}, {}
    for system, of_system in docs.items():
        for id, path in of_system.public.items():
            uses.setdefault("::".join(path), set()).add(system)
        for section, entry in of_system.entries():
            if (system, key(section, entry)) not in known:
                sections.setdefault(section, {}).setdefault(entry, set()).add(system)

    out = [BEYOND if mio else HEADER.format(version=next(iter(docs.values())).version)]
    uses_by_systems = {}
    for use, systems in sorted(uses.items()):
        # The entries name a function by its full path, so it needs no `use`.
        if use.split("::")[-1][0].isupper() and not mio:
            uses_by_systems.setdefault(frozenset(systems), []).append(use)
    for systems, names in uses_by_systems.items():
        when = condition(systems, all_systems)
        out.append((f"#[cfg({when})]\n" if when else "") + f"use minimio::{{{', '.join(names)}}};")
    for section, entries in sorted(sections.items()):
        out.append(f"\n// {section}\n")
        # Items of all systems first, then by system; the traits of a type together, after the other items.
        by_systems = {}
        for entry, systems in entries.items():
            by_systems.setdefault(frozenset(systems), []).append(entry)
        for systems in sorted(by_systems, key=lambda systems: (-len(systems), sorted(systems))):
            when = condition(systems, all_systems)
            lines, traits = [], {}
            for entry in by_systems[systems]:
                if isinstance(entry, tuple):
                    traits.setdefault(entry[0], []).append(entry[1])
                else:
                    lines.append(wrapped(entry) if entry.startswith("check!") else [entry])
            for type, names in sorted(traits.items()):
                bounds = " + ".join(sorted(names, key=lambda name: name.split("<")[0].split("::")[-1] + name))
                lines.append(wrapped(f"has!({type}: {bounds});"))
            begin = end = []
            if when is not None and len(lines) <= 2 and not any(line[0].startswith("//") for line in lines):
                lines = [[f"#[cfg({when})]"] + line for line in lines]
            elif when is not None:
                begin, end = [f"#[cfg({when})]", "const _: () = {"], ["};"]
            out.extend(begin + [line for entry in lines for line in entry] + end)
    print("\n".join(out))


if __name__ == "__main__":
    main()
