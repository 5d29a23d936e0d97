"""Checks the check: changes every property of every item in a copy. The fact for that property must fail."""
import copy
import re
import shutil

from declared import cut, declared, shown
from facts import compile_facts, facts_of, write_module
from tools import ARRAY, POINTER, SIGNED, UNSIGNED, Failed, kind_of, size_of


def other_type(code, was):
    """The Rust type to put in place of `was`: an integer of the same size and the other signedness; for a type that is
    not an integer, an integer."""
    if kind_of(code) in (UNSIGNED, SIGNED):
        return f"{'u' if kind_of(code) == SIGNED else 'i'}{size_of(code) * 8}"
    return "u16" if kind_of(code) == ARRAY or was == "usize" else "usize"


def other_constness(was):
    """`*mut` for `*const` and the reverse; None for a type that is not a pointer."""
    const, mut = "*const ", "*mut "
    if was.startswith(const):
        return mut + was.removeprefix(const)
    return const + was.removeprefix(mut) if was.startswith(mut) else None


def mutants(item, text, values):
    """Yields each change of an item: the fact that must fail, and the text of the file with the change."""
    before, declaration, after = cut(text, item.span)
    key = item.key

    def instead(start, end, new):
        return before + declaration[:start] + new + declaration[end:] + after

    if item.what == "const":
        parts = re.fullmatch(r".*?\bconst\s+\w+\s*:\s*(.*?)\s*=\s*(.*);", declaration, re.S)
        was = parts[2]
        new = f"({was}) ^ 1"
        if item.is_option():
            new = f"{{ let was: {parts[1]} = {was}; match was {{ None => Some(1), Some(it) => Some(it ^ 1) }} }}"
        elif item.is_pointer():
            new = f"1_usize as {parts[1]}"
        yield key, instead(*parts.span(2), new)
    elif item.what == "type":
        parts = re.fullmatch(r".*?=\s*(.*);", declaration, re.S)
        yield key, instead(*parts.span(1), other_type(values[key], parts[1]))
    elif item.what == "struct":
        for field, span in item.fields:
            code = values[f"{key}.{field}: type"]
            if code is None:
                continue
            start, field_text, end = cut(text, span)
            name, was = re.fullmatch(r"(.*?:\s*)(.*)", field_text, re.S).groups()
            yield f"{key}.{field}: size", f"{start}{name}[{was}; 2]{end}"
            if kind_of(code) in (UNSIGNED, SIGNED, POINTER) and not was.startswith("["):
                yield f"{key}.{field}: type", f"{start}{name}{other_type(code, was)}{end}"
            if other := other_constness(was):
                yield f"{key}.{field}: type: const", f"{start}{name}{other}{end}"
    else:
        first = re.search(r"\bfn\s+\w+\s*\(", declaration).end()
        last = declaration.rindex(")")
        at = first
        for number, name in enumerate(item.parameters()):
            parameter = re.compile(r"\s*(?:r#)?\w+\s*:\s*([^,]*?)\s*(?:,|$)").match(declaration, at, last)
            if not parameter:
                raise Failed(f"{shown(item.file)}: no parameter {name} in `{declaration}`")
            at, was, code = parameter.end(), parameter[1], values[f"{key}: {number}"]
            if code is None:
                continue
            yield f"{key}: {name}", instead(*parameter.span(1), other_type(code, was))
            if other := other_constness(was):
                yield f"{key}: {name}: const", instead(*parameter.span(1), other)
        if rest := declaration[at:last].strip():
            # Remove the `...`.
            yield f"{key}: parameters", instead(at, last, "")
        else:
            comma = "" if at == first or declaration[:at].endswith(",") else ", "
            yield f"{key}: parameters", instead(at, last, f"{comma}more: u8")
        if result := re.compile(r"\)\s*->\s*([^;]+)").match(declaration, last):
            yield f"{key}: result", instead(*result.span(1), other_type(values[f"{key}: result"], result[1]))


def compared_by_rustc(report, sources, items, asserted, records, headers, toolchain, parent):
    """Makes a copy of the file for each change. All copies are modules of one crate, each with the assertions of its item."""
    folder = parent / "mutants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lib = parent / "facts" / "lib.rs"
    root, planted, lines = lib.read_text(), {}, {}
    for item in items:
        own = [fact for fact in asserted if fact.item is item]
        # `asserted` leaves out the facts that already differ from the headers, which `exceptions` allows: they cannot
        # detect a change.
        keys = {fact.key for fact in own}
        items_of_file = [other for other in items if other.file == item.file]
        if not own:
            continue
        changed = [mutant for mutant in mutants(item, sources.text[item.file], headers.values) if mutant[0] in keys]
        if not changed:
            report.missed.append(f"{shown(item.file)}: {item.key}: no known change applies")
        for key, text in changed:
            copied, module = folder / f"ffi_{len(planted)}.rs", folder / f"facts_{len(planted)}.rs"
            lines[str(module)] = write_module(module, own, items_of_file, records, ["use super::*;"])
            copied.write_text(f'{text}\n#[path = "{module}"]\nmod facts;\n')
            root += f'mod mutant_{len(planted)} {{ #[path = "{copied}"] mod ffi; }}\n'
            planted[str(module)] = item, key
    lib.write_text(root)
    # A change may cause errors elsewhere in the copy too.
    caught = {(file, fact.key) for file, fact, _ in compile_facts(lib, headers.target, toolchain, parent, lines) if fact}
    report.mutants += len(planted)
    report.missed += [f"{shown(item.file)}: {key}: the change was not detected"
                      for file, (item, key) in planted.items() if (file, key) not in caught]


def compared_here(report, sources, items, compared, exception_for, headers, toolchain, folder):
    """Changes the facts that rustc does not compare (symbols, conventions, layouts, fields) and adds a constant that the
    headers do not have. One copy gets all changes, because they do not affect each other."""
    spoiled = copy.copy(sources)
    spoiled.text = {}
    for file, text in sources.text.items():
        functions = [item for item in items if item.file == file and item.what == "fn"]
        for item in sorted(functions, key=lambda item: item.span["begin"], reverse=True):
            if item.linked_name() == item.name:
                before, declaration, after = cut(text, item.span)
                text = f'{before}#[link_name = "another"] {declaration}{after}'
        text = re.sub(r'link_name = "\w+"', 'link_name = "another"', text)
        text = text.replace("repr(C", "repr(Rust").replace('extern "system"', 'extern "C"')
        # Remove the files' own assertions of sizes, which would fail first.
        text = re.sub(r"^const _: \(\) = .*?;$", "const _: () = ();", text, flags=re.M | re.S)
        spoiled.text[file] = text + "\npub const NOT_IN_THE_HEADERS: i32 = 1;\n"
    again = [item for item in declared(spoiled, headers.target, toolchain, folder / "spoiled") if item.what != "code"]
    for item in list(again):
        for theirs in headers.fields.get(item.name, []):
            less = copy.copy(item)
            names = theirs if isinstance(theirs, list) else [theirs]
            less.fields = [field for field in item.fields if field[0] not in names]
            again.append(less)
    detected, unknown = set(), set()
    for fact in (fact for item in again for fact in facts_of(item, headers)):
        if fact.is_unknown() and fact.item.name == "NOT_IN_THE_HEADERS" and not exception_for(fact, headers.target):
            unknown.add(fact.item.file)
        elif fact.line is None and fact.ours != fact.theirs:
            detected.add(fact.key)
    if not headers.target.startswith("i686-pc-windows"):
        # These targets have one calling convention.
        compared = {key for key in compared if not key.endswith(": convention")}
    files = {item.file for item in items}
    report.mutants += len(compared) + len(files)
    report.missed += [f"{key}: the change was not detected" for key in sorted(compared - detected)]
    report.missed += [f"{shown(file)}: a constant that the headers do not have was not detected" for file in files - unknown]


def unseen_is_detected(sources, unseen):
    """Adds a constant for a system that is none of the targets."""
    spoiled = copy.copy(sources)
    spoiled.text = {file: text + '#[cfg(target_os = "haiku")]\nconst ON_NO_TARGET: i32 = 1;\n'
                    for file, text in sources.text.items()}
    return sum("ON_NO_TARGET" in problem for problem in unseen(spoiled)) == len(sources.text)
