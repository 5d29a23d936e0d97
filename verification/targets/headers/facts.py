"""Facts, and the Rust code that compares them."""
import json
import re

from headers import BUILT_IN_TYPES
from tools import NONE, POINTER, Failed, kind_of, run


class Fact:
    """A property of an item that the headers have too.

    If it has a `line` of Rust, rustc compares. Otherwise `ours` and `theirs` are compared by `check.py`. If there is
    neither `line` nor `ours`, the headers do not declare the name.
    """

    def __init__(self, item, key, line=None, ours=None, theirs=None, typed=False):
        self.item, self.key, self.line, self.ours, self.theirs, self.typed = item, key, line, ours, theirs, typed

    def is_unknown(self):
        return self.line is None and self.ours is None


def facts_of(item, headers):
    return {"const": const, "type": alias, "struct": struct, "fn": function}[item.what](item, item.key, headers)


def const(item, key, headers):
    theirs, path = headers.values.get(key), item.path
    if item.is_option():
        # None is correct if the headers do not have the name.
        theirs = NONE if theirs is None else theirs
        ours = f"match {path} {{ Some(it) => t::value(it), None => t::NONE }}"
        wrapped = f"match {path} {{ Some(it) => t::wrapped(it, {theirs}), None => {theirs} }}"
        yield Fact(item, key, f"fact!({ours}, {wrapped});", theirs=theirs)
    elif theirs is None:
        yield Fact(item, key)
    else:
        yield Fact(item, key, f"fact!(t::value({path}), t::wrapped({path}, {theirs}));", theirs=theirs)


def alias(item, key, headers):
    theirs = headers.values.get(key)
    if theirs is None:
        yield Fact(item, key)
    else:
        yield typed(item, key, f"<{item.path} as t::Type>::CODE", theirs)


def struct(item, key, headers):
    path, get = item.path, headers.values.get
    size, alignment = get(f"{key}: size"), get(f"{key}: alignment")
    if size is None:
        yield Fact(item, key)
        return
    yield number(item, f"{key}: size", f"core::mem::size_of::<{path}>() as i128", size)
    yield number(item, f"{key}: alignment", f"core::mem::align_of::<{path}>() as i128", alignment)
    yield Fact(item, f"{key}: layout", ours="C's" if item.is_laid_out_as_in_c() else "Rust's", theirs="C's")
    for field, _ in item.fields:
        field_key = f"{key}.{field}"
        offset, size, code = (get(f"{field_key}: {what}") for what in ("offset", "size", "type"))
        if offset is None:
            yield Fact(item, field_key)
            continue
        field_pointer = f"|it: *const {path}| unsafe {{ &raw const (*it).{field} }}"
        yield number(item, f"{field_key}: offset", f"core::mem::offset_of!({path}, {field}) as i128", offset)
        yield number(item, f"{field_key}: size", f"t::field_size({field_pointer})", size)
        yield from type_facts(item, f"{field_key}: type", f"t::field_code({field_pointer})", code)
    ours = {field for field, _ in item.fields}
    for theirs in headers.fields[item.name]:
        # An unnamed field is a list of its named parts; one of them is enough.
        names = theirs if isinstance(theirs, list) else [theirs]
        there = ours.intersection(names)
        yield Fact(item, f"{key}.{names[0]}: there", ours="there" if there else "not there", theirs="there")


def function(item, key, headers):
    get, names, abi = headers.values.get, item.parameters(), item.abi()
    parameters, variadic = get(f"{key}: parameters"), get(f"{key}: variadic")
    if parameters is None:
        yield Fact(item, key)
        return
    placeholders = ", ".join(["_"] * parameters + ["..."] * variadic)
    cast = f'{{ let it: unsafe extern "{abi}" fn({placeholders}) -> _ = {item.path}; it }}'
    shape = f"{parameters} and more" if variadic else parameters
    yield Fact(item, f"{key}: parameters", f"fact!({{ t::code({cast}, 0); 0 }}, 0);", theirs=shape)
    yield from type_facts(item, f"{key}: result", f"t::code({cast}, 0)", get(f"{key}: result"))
    for at in range(parameters):
        name = names[at] if at < len(names) else at
        yield from type_facts(item, f"{key}: {name}", f"t::code({cast}, {at + 1})", get(f"{key}: {at}"))
    who = ("the caller pops the arguments", "the callee pops the arguments")
    pops = abi == "system" and headers.target.startswith("i686-pc-windows")
    yield Fact(item, f"{key}: convention", ours=who[pops], theirs=who[get(f"{key}: callee_pops")])
    if headers.has_symbols():
        yield Fact(item, f"{key}: symbol", ours=item.linked_name(), theirs=get(f"{key}: symbol"))


def number(item, key, ours, theirs):
    return Fact(item, key, f"fact!({ours}, {theirs});", theirs=theirs)


def typed(item, key, ours, theirs):
    return Fact(item, key, f"fact!(t::like({ours}, {theirs}), {theirs});", theirs=theirs, typed=True)


def type_facts(item, key, ours, theirs):
    """The type of a field or parameter, and for a pointer whether it is `const`."""
    yield typed(item, key, ours, theirs)
    if kind_of(theirs) == POINTER:
        yield number(item, f"{key}: const", f"{ours} >> 40 & 1", theirs >> 40 & 1)


def facts_of_built_in_types(headers):
    for name in BUILT_IN_TYPES:
        key = f"built-in {name}"
        yield typed(None, key, f"<{name} as t::Type>::CODE", headers.values[key])


USES = ["use crate::header_check as t;", "use crate::fact;"]


def write_module(file, facts, items, records, uses):
    """Writes the module of assertions that is compiled inside the file of the items. Returns the fact on each line."""
    lines = USES + uses
    for item in items:
        if item.what == "struct":
            lines.append(f"impl t::Type for {item.path} {{ const CODE: i128 = t::record({records[item.name]}); }}")
    at = {}
    for fact in facts:
        if fact.line is not None:
            lines.append(fact.line)
            at[len(lines)] = fact
    file.write_text("\n".join(lines) + "\n")
    return at


def compile_facts(lib, target, toolchain, folder, lines):
    """Compiles the crate. `lines` maps each file to the facts on its lines. Returns a tuple for each error: the file,
    the fact (both None for an error outside these lines), and the value or the message that rustc reports."""
    done = run("rustc", "--edition", "2021", "--crate-name", "facts", "--crate-type", "lib", "--emit", "metadata",
               "--target", target, "--sysroot", toolchain.sysroot, "--out-dir", folder / "metadata",
               "--error-format", "json", "--cap-lints", "allow", lib, env=toolchain.environment)
    errors = []

    def facts_at(spans):
        for span in spans:
            fact = lines.get(span["file_name"], {}).get(span["line_start"])
            if fact:
                yield span["file_name"], fact
            if span["expansion"]:
                yield from facts_at([span["expansion"]["span"]])

    for line in done.stderr.splitlines():
        error = json.loads(line)
        if error.get("level") != "error" or error["message"].startswith("aborting due to"):
            continue
        spans = error["spans"] + [span for child in error["children"] for span in child["spans"]]
        file, fact = next(facts_at(spans), (None, None))
        panicked = re.search(r"evaluation panicked: +(-?\d+)$", error["message"])
        found = int(panicked[1]) if panicked else error["message"] if fact else error["rendered"]
        errors.append((file, fact, found))
    if done.returncode != 0 and not errors:
        raise Failed(f"rustc: {done.stderr[:3000]}")
    return errors
