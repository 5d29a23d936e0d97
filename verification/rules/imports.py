#!/usr/bin/env python3
"""Prints each group of modules of `src/` that import each other in a cycle, apart from the cycles in ALLOWED.

    imports.py [--edges] [FOLDER]      (default: `src`; `--edges` prints all imports)

A module imports another if its code, comments left out, names an item of the other by a path (`crate::a::B`, `super::b::c`).
A path through a re-export counts for the module that defines the item. The declarations and re-exports of `lib.rs` and
of a `mod.rs` are not imports. `crate::queue` is the selected queue (`epoll`, `kqueue` or `iocp`), and `crate::handle`
the selected platform (`unix` or `windows`): a path through such a name counts for each of the modules that it can
select.
"""
import re
import sys
from pathlib import Path

# Cycles that are inherent. Each has a comment at one of its imports.
ALLOWED = [
    ("poll", "source"),  # `Registry` and `Source` name each other.
    ("event", "epoll/event"),  # An `Event` wraps the queue's event, and the queue's list holds `Event`s.
    ("event", "kqueue/event"),
    ("event", "iocp/event"),
    ("net/mod", "unix/mod"),  # `net` re-exports the Unix sockets.
    ("net/tcp", "unix/mod"),  # Sockets convert to and from descriptors.
    ("net/udp", "unix/mod"),
    ("net/tcp", "windows/mod"),  # Sockets convert to and from handles.
    ("net/udp", "windows/mod"),
    ("book", "unix/mod"),
    ("signal", "unix/signal"),  # `Signals` is built on the platform's source, which receives `Signal`s.
    ("signal", "windows/signal"),
    ("book", "windows/mod"),
]
ALIASES = {"queue": ["epoll", "kqueue", "iocp"], "handle": ["unix", "windows"]}


def strip_comments_and_strings(text):
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)


def expand(tree):
    """All paths of a use tree such as `a::{b, c::{d, e as f}}`, as (path, name)."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        path, _, alias = (part.strip() for part in re.sub(r"\s+as\s+", " as ", tree).partition(" as "))
        segments = [segment.strip() for segment in path.split("::") if segment.strip()]
        if segments and segments[-1] == "self":
            segments.pop()
        return [(segments, alias or (segments[-1] if segments else ""))] if segments else []
    prefix = [segment.strip() for segment in tree[:brace].split("::") if segment.strip()]
    depth, start, found = 0, brace + 1, []
    for index in range(brace, len(tree)):
        if tree[index] == "{":
            depth += 1
        elif tree[index] == "}":
            depth -= 1
        if (tree[index] == "," and depth == 1) or (tree[index] == "}" and depth == 0):
            found += [(prefix + path, name) for path, name in expand(tree[start:index])]
            start = index + 1
            if depth == 0:
                break
    return found


class Module:
    """A file of `src/`: the paths that it uses, and the names that it re-exports."""

    def __init__(self, name, text):
        self.name = name
        # `src/a/mod.rs` is the module `a`; `lib.rs` is the root.
        self.path = [] if name == "lib" else name[: -len("/mod")].split("/") if name.endswith("/mod") else name.split("/")
        self.exports, self.uses, self.text = {}, [], text
        for visibility, tree in re.findall(r"^\s*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", text, re.M):
            for path, exported in expand(tree):
                if visibility:
                    self.exports.setdefault(exported, []).append(path)
                    if exported == "*":
                        self.exports["*"].append(path[:-1])
                else:
                    self.uses.append(path)
        code = re.sub(r"^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+[^;]+;", "", text, flags=re.M)
        self.uses += [path.split("::") for path in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", code)]


def read(folder):
    return {
        module.name: module
        for file in sorted(folder.rglob("*.rs"))
        for module in [Module(str(file.relative_to(folder).with_suffix("")), strip_comments_and_strings(file.read_text()))]
    }


def edges_of(modules):
    by_path = {tuple(module.path): module for module in modules.values()}

    def defines(module, name):
        item = rf"\b(?:fn|struct|enum|trait|const|static|type|union|macro_rules!)\s+{name}\b"
        return name in module.exports or re.search(item, module.text) is not None

    def resolve(module, path, depth=0):
        """The modules that define what `path`, written in `module`, names."""
        if path[0] == "super" and len(path) == 2:
            parent = by_path.get(tuple(module.path[:-1]))
            if parent and not defines(parent, path[1]) and tuple(parent.path + [path[1]]) not in by_path:
                return set()  # `super` of a module inside this file.
        position, rest = list(module.path), list(path)
        if rest[0] == "crate":
            position, rest = [], rest[1:]
        while rest and rest[0] in ("self", "super"):
            position = position[:-1] if rest[0] == "super" else position
            rest = rest[1:]
        if rest and tuple(position + [rest[0]]) not in by_path and path[0] not in ("crate", "self", "super"):
            if rest[0] not in by_path.get(tuple(position), module).exports and rest[0] not in ALIASES:
                return set()  # Another crate.
        return descend(position, rest, depth)

    def descend(position, rest, depth):
        here = by_path.get(tuple(position))
        if here is None or depth > 8:
            return set()
        if not rest:
            return {here.name}
        name = rest[0]
        if not position and name in ALIASES:
            return set().union(*(descend([alias], rest[1:], depth + 1) for alias in ALIASES[name]))
        if tuple(position + [name]) in by_path:
            return descend(position + [name], rest[1:], depth)
        if name in here.exports:
            return set().union(*(resolve(here, path + rest[1:], depth + 1) for path in here.exports[name])) or {here.name}
        return {here.name}

    edges = {name: set() for name in modules}
    for module in modules.values():
        if module.name == "lib":
            continue
        for path in module.uses:
            edges[module.name] |= resolve(module, path) - {module.name, "lib"}
    return edges


def cycles(edges):
    """The groups of more than one module that can all reach each other (Tarjan's algorithm)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for target in sorted(edges[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in on_stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
                on_stack.discard(group[-1])
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--edges"]
    edges = edges_of(read(Path(arguments[0] if arguments else "src")))
    if "--edges" in sys.argv:
        for name in sorted(edges):
            print(f"{name}: {' '.join(sorted(edges[name]))}")
        return
    def without(pairs):
        left = {name: set(targets) for name, targets in edges.items()}
        for a, b in pairs:
            left.get(a, set()).discard(b)
            left.get(b, set()).discard(a)
        return left

    for pair in ALLOWED:
        if cycles(without(other for other in ALLOWED if other != pair)) == cycles(without(ALLOWED)):
            print(f"not a cycle, although it is allowed: {' and '.join(pair)}")
    edges = without(ALLOWED)
    for group in cycles(edges):
        inside = {name: sorted(edges[name] & set(group)) for name in group}
        print("a cycle: " + "; ".join(f"{name} imports {' '.join(targets)}" for name, targets in inside.items()))


main()
