"""What can be compared: facts, and how rustc compares them."""
import json
import re

from headers import OF_THE_MACHINE
from tools import NONE, POINTER, Failed, kind_of, run


class Fact:
    """Something that an item and the headers say.

    With a `line` of Rust, rustc compares. Without, `ours` and `theirs` are known; or, if `ours` is None, the headers
    have nothing of this name.
    """

    def __init__(self, item, key, line=None, ours=None, theirs=None, typed=False):
        self.item, self.key, self.line, self.ours, self.theirs, self.typed = item, key, line, ours, theirs, typed

    def is_unknown(self):
        return self.line is None and self.ours is None


def facts_of(item, headers):
    return {"const": const, "type": alias, "struct": struct, "fn": function}[item.what](item, item.key, headers)


def const(item, key, headers):
    theirs, path = headers.answers.get(key), item.path
    if item.is_option():
        # None is as good as a name that the headers don't have.
        theirs = NONE if theirs is None else theirs
        ours = f"match {path} {{ Some(it) => t::value(it), None => t::NONE }}"
        wrapped = f"match {path} {{ Some(it) => t::wrapped(it, {theirs}), None => {theirs} }}"
        yield Fact(item, key, f"fact!({ours}, {wrapped});", theirs=theirs)
    elif theirs is None:
        yield Fact(item, key)
    else:
        yield Fact(item, key, f"fact!(t::value({path}), t::wrapped({path}, {theirs}));", theirs=theirs)


def alias(item, key, headers):
    theirs = headers.answers.get(key)
    if theirs is None:
        yield Fact(item, key)
    else:
        yield typed(item, key, f"<{item.path} as t::Type>::CODE", theirs)


def struct(item, key, headers):
    path, get = item.path, headers.answers.get
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
        place = f"|it: *const {path}| unsafe {{ &raw const (*it).{field} }}"
        yield number(item, f"{field_key}: offset", f"core::mem::offset_of!({path}, {field}) as i128", offset)
        yield number(item, f"{field_key}: size", f"t::field_size({place})", size)
        yield from value(item, f"{field_key}: type", f"t::field_code({place})", code)
    ours = {field for field, _ in item.fields}
    for theirs in headers.fields[item.name]:
        # Of what has no name, each part has; one of them is enough.
        names = theirs if isinstance(theirs, list) else [theirs]
        there = ours.intersection(names)
        yield Fact(item, f"{key}.{names[0]}: there", ours="there" if there else "not there", theirs="there")


def function(item, key, headers):
    get, names, abi = headers.answers.get, item.parameters(), item.abi()
    parameters, variadic = get(f"{key}: parameters"), get(f"{key}: variadic")
    if parameters is None:
        yield Fact(item, key)
        return
    placeholders = ", ".join(["_"] * parameters + ["..."] * variadic)
    cast = f'{{ let it: unsafe extern "{abi}" fn({placeholders}) -> _ = {item.path}; it }}'
    shape = f"{parameters} and more" if variadic else parameters
    yield Fact(item, f"{key}: parameters", f"fact!({{ t::code({cast}, 0); 0 }}, 0);", theirs=shape)
    yield from value(item, f"{key}: result", f"t::code({cast}, 0)", get(f"{key}: result"))
    for at in range(parameters):
        name = names[at] if at < len(names) else at
        yield from value(item, f"{key}: {name}", f"t::code({cast}, {at + 1})", get(f"{key}: {at}"))
    who = ("the caller takes the arguments away", "the callee takes the arguments away")
    pops = abi == "system" and headers.target.startswith("i686-pc-windows")
    yield Fact(item, f"{key}: convention", ours=who[pops], theirs=who[get(f"{key}: callee_pops")])
    if headers.has_symbols():
        yield Fact(item, f"{key}: symbol", ours=item.linked_name(), theirs=get(f"{key}: symbol"))


def number(item, key, ours, theirs):
    return Fact(item, key, f"fact!({ours}, {theirs});", theirs=theirs)


def typed(item, key, ours, theirs):
    return Fact(item, key, f"fact!(t::like({ours}, {theirs}), {theirs});", theirs=theirs, typed=True)


def value(item, key, ours, theirs):
    """What a field or parameter is; and of a pointer, whether it is `const`."""
    yield typed(item, key, ours, theirs)
    if kind_of(theirs) == POINTER:
        yield number(item, f"{key}: const", f"{ours} >> 40 & 1", theirs >> 40 & 1)


def of_the_machine(headers):
    for name in OF_THE_MACHINE:
        key = f"machine {name}"
        yield typed(None, key, f"<{name} as t::Type>::CODE", headers.answers[key])


USES = ["use crate::header_check as t;", "use crate::fact;"]


def write_module(file, facts, items, records, uses):
    """A module of assertions, which stands inside the file of the items; and which fact is on which line."""
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


def compile_facts(lib, target, toolchain, place, lines):
    """Compiles. `lines` tells for each file which fact is on which line. For each error: in which of these files, of
    which fact (both are None for any other error), and what rustc has found, or says."""
    done = run("rustc", "--edition", "2021", "--crate-name", "facts", "--crate-type", "lib", "--emit", "metadata",
               "--target", target, "--sysroot", toolchain.sysroot, "--out-dir", place / "metadata",
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
