#!/usr/bin/env python3
"""Compares a trace of the program in `src/main.rs` with the guide's transcript, and prints each difference.

    compare.py strace|model TRACE

`strace` is a trace by strace, `model` one by the kqueue model. The transcript is the block of the chapter whose first
line has the first call of that system. In the transcript, a step begins with its name, and the names of descriptors
stand for their numbers. Blanks do not count.
"""
import difflib
import re
import sys
from pathlib import Path

CHAPTER = Path(__file__).resolve().parents[2] / "src/guide/one_registration_three_kernels.md"
STEPS = ["Poll::new", "register", "poll", "deregister"]
FIRST_CALL = {"strace": "epoll_create1", "model": "kqueue()"}


def transcript(first_call):
    """The lines of the transcript that begins with this call."""
    blocks = re.findall(r"^```text\n(.*?)^```$", CHAPTER.read_text(), re.M | re.S)
    found = [block for block in blocks if re.match(rf"\s*Poll::new\s+{re.escape(first_call)}", block)]
    if len(found) != 1:
        sys.exit(f"{CHAPTER.name}: {len(found)} transcripts begin with {first_call}, but there must be one")
    # A line that ends with a comma continues in the next line.
    return [" ".join(line.split()) for line in found[0].replace(",\n", ", ").splitlines()]


def marks_and_calls(kind, trace):
    """The trace as pairs: ("mark", text) or ("call", text)."""
    for line in trace.splitlines():
        mark = re.match(r'write\(2, "((?:begin|end|name).*?)\\n", ', line) if kind == "strace" else re.match(
            r"((?:begin|end|name)\b.*)", line)
        yield ("mark", mark.group(1)) if mark else ("call", " ".join(line.split()))


def rename(kind, line, names):
    """Replaces descriptor numbers, and records the names of new descriptors."""
    created = re.match(r"(?:epoll_create1|eventfd2|kqueue)\(.*\) = (\d+)$", line)
    if created:
        name = {"epoll_create1": "epoll", "eventfd2": "eventfd", "kqueue": "kqueue"}[line.split("(")[0]]
        names[created.group(1)] = name
        return line[: created.start(1)] + name
    number = lambda match: match.group(1) + names.get(match.group(2), match.group(2))
    if kind == "strace":
        line = re.sub(r"^(epoll_\w+\()(\d+)", number, line)
        line = re.sub(r"^(epoll_ctl\(\w+, \w+, )(\d+)", number, line)
        # strace prints both views of the union.
        line = re.sub(r"data=\{u32=\d+, u64=(\d+)\}", r"data=\1", line)
        # `epoll_ctl` ignores the event of a deletion, and strace prints only its address.
        line = re.sub(r"^(epoll_ctl\(epoll, EPOLL_CTL_DEL, .*, )0x[0-9a-f]+", r"\1address", line)
        # The data of the eventfd is the hash of an address.
        return re.sub(r"^(epoll_ctl\(epoll, EPOLL_CTL_ADD, eventfd, .*data=)\d+", r"\1hash", line)
    line = re.sub(r"^(kevent\()(\d+)", number, line)
    line = re.sub(rf"^((?:change|event) )({2**64 - 1}) ", r"\1usize::MAX ", line)
    return re.sub(r"^((?:change|event) )(\d+)", number, line)


def calls_of(kind, trace):
    """The lines that a transcript of this trace must have."""
    names, step, lines = {}, None, []
    for what, text in marks_and_calls(kind, trace):
        if what == "mark" and text.startswith("name "):
            _, name, number = text.split()
            names[number] = name
        elif what == "mark":
            step = text[len("begin "):] if text.startswith("begin ") else None
        elif step is not None:
            lines.append(" ".join(filter(None, [step, rename(kind, text, names)])))
            step = ""
    return lines


def main():
    kind, trace = sys.argv[1], Path(sys.argv[2]).read_text()
    printed, made = transcript(FIRST_CALL[kind]), calls_of(kind, trace)
    if printed == made:
        print(f"{kind}: the {len(made)} lines of the transcript are those of the trace")
        return
    print(f"{kind}: the transcript in {CHAPTER.name} differs from the trace:")
    print("\n".join(difflib.unified_diff(printed, made, "the guide", "the trace", lineterm="", n=1)))
    sys.exit(1)


main()
