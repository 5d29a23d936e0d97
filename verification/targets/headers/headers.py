"""Reads the facts from the headers."""
import fnmatch
import re

from tools import (
    ANYTHING, ARRAY, FLOAT, FUNCTION, HERE, NOTHING, POINTER, RECORD, SIGNED, UNSIGNED, Failed, kind_of, run, size_of,
)

UNIX = """sys/types.h sys/socket.h sys/un.h sys/ioctl.h sys/time.h sys/uio.h sys/resource.h netinet/in.h netinet/tcp.h
    fcntl.h poll.h errno.h signal.h time.h limits.h unistd.h stdint.h""".split()
FIRST_LINES = {
    "linux": ["#define _GNU_SOURCE 1"] + [
        f"#include <{header}>" for header in
        UNIX + ["sys/epoll.h", "sys/eventfd.h", "sys/timerfd.h", "sys/wait.h", "sys/syscall.h", "linux/time_types.h"]
    ],
    "bsd": ["#define _NETBSD_SOURCE 1"] + [f"#include <{header}>" for header in UNIX + ["sys/event.h"]],
    "windows": """
        #define WIN32_LEAN_AND_MEAN 1
        #define _WIN32_WINNT 0x0A00
        #define WIN32_NO_STATUS 1
        #include <winsock2.h>
        #include <ws2tcpip.h>
        #include <mswsock.h>
        #include <windows.h>
        #include <winternl.h>
        #undef WIN32_NO_STATUS
        #include <ntstatus.h>
    """.strip().splitlines(),
}
# Names that differ in C: on which targets, the name here, the expression in C.
IN_C = [
    ("*-windows-*", "type sa_family_t", "ADDRESS_FAMILY"),
    ("*-apple-*", "const UIO_MAXIOV", "IOV_MAX"),
    ("*-*bsd*", "const UIO_MAXIOV", "IOV_MAX"),
    # The struct of the old `__kevent50` is the first part of the struct that the headers declare.
    ("*-netbsd*", "struct kevent: size", "__builtin_offsetof(struct kevent, ext)"),
]
# Built-in types, which no header declares: they must be equal in both compilers.
BUILT_IN_TYPES = {
    "c_char": "char", "c_short": "short", "c_ushort": "unsigned short", "c_int": "int", "c_uint": "unsigned",
    "c_long": "long", "c_ulong": "unsigned long", "*mut c_void": "void *",
}
MOST_PARAMETERS = 12


class Headers:
    """Collects C expressions, compiles them, and keeps their values. A value is None if the headers do not have the
    name."""

    def __init__(self, target, zig_target, system, toolchain, folder):
        self.target, self.zig_target, self.system = target, zig_target, system
        self.toolchain, self.folder = toolchain, folder
        # Each expression has its own line.
        self.lines, self.numbers = [], {}
        self.values, self.fields = {}, {}

    def in_c(self, key, usual):
        for where, what, instead in IN_C:
            if what == key and fnmatch.fnmatch(self.target, where):
                return instead
        return usual

    def record(self, name):
        """On Windows the name is a typedef; elsewhere it needs `struct`, because a function may have the same name."""
        return f"::{name}" if self.system == "windows" else f"struct ::{name}"

    def has_symbols(self):
        """False on Windows, where functions are linked through pointers, which are not constant."""
        return self.system != "windows"

    def add(self, key, expression, macro="FACT"):
        self.numbers[key] = len(self.numbers)
        self.lines.append(f"{macro}({self.numbers[key]}, {expression})")

    def add_items(self, items, records):
        for name, number in records.items():
            struct = f"struct known<{self.record(name)}> {{ static const code_t value = {number}; }};"
            self.lines.append(f"namespace header_check {{ template <> {struct} }}")
        for name, in_c in BUILT_IN_TYPES.items():
            self.add(f"built-in {name}", f"header_check::type<{in_c}>::code")
        for item in items:
            getattr(self, f"add_{item.what}")(item, item.key)

    def add_const(self, item, key):
        self.add(key, self.in_c(key, item.name))

    def add_type(self, item, key):
        self.add(key, f"header_check::type<{self.in_c(key, item.name)}>::code")

    def add_struct(self, item, key):
        record = self.record(item.name)
        self.add(f"{key}: size", self.in_c(f"{key}: size", f"sizeof({record})"))
        self.add(f"{key}: alignment", f"alignof({record})")
        for field, _ in item.fields:
            for what in ("offset", "size", "type"):
                self.add(f"{key}.{field}: {what}", f"{what.upper()}({record}, {field})")
        # The compiler prints the layout of this struct, which lists its fields.
        holder = f"header_check_of_{item.name}"
        self.lines.append(f"struct {holder} {{ {record} it; }}; {holder} a_{holder};")

    def add_fn(self, item, key):
        function = f"header_check::function<decltype(&{item.name})>"
        for part in ("parameters", "variadic", "callee_pops", "result"):
            self.add(f"{key}: {part}", f"{function}::{part}")
        for number in range(MOST_PARAMETERS):
            self.add(f"{key}: {number}", f"{function}::parameter<{number}>::code")
        if self.has_symbols():
            self.add(f"{key}: symbol", item.name, macro="SYMBOL")

    def read(self):
        first = FIRST_LINES[self.system] + [f'#include "{HERE}/types.h"']
        source, assembly = self.folder / "headers.cpp", self.folder / "headers.s"
        lines = list(self.lines)
        # A name that this system does not have is an error in its line. Remove these lines and compile again.
        for _ in range(8):
            source.write_text("\n".join(first + lines) + "\n")
            done = run(self.toolchain.zig, "c++", "-target", self.zig_target, "-std=gnu++14", "-w", "-O1",
                       "-ferror-limit=0", "-Xclang", "-fdump-record-layouts", "-S", "-o", assembly, source,
                       env=self.toolchain.environment)
            if done.returncode == 0:
                break
            error = re.escape(str(source)) + r":(\d+):\d+: (?:(?:fatal )?error|note: in instantiation)"
            wrong = {int(line) - 1 - len(first) for line in re.findall(error, done.stderr)}
            if not wrong or min(wrong) < 0:
                raise Failed(f"the headers of {self.zig_target} can't be read: {done.stderr[:3000]}")
            lines = ["" if number in wrong else line for number, line in enumerate(lines)]
        else:
            raise Failed(f"the headers of {self.zig_target} can't be read, whatever is left out: {done.stderr[:3000]}")
        self.take_facts(assembly.read_text())
        self.take_fields(done.stdout)

    def take_facts(self, assembly):
        found = {}
        for number, low, high in re.findall(r"@@@ (\d+) [#$]?(-?\d+) [#$]?(-?\d+)@", assembly):
            value = (int(high) & 0xffffffff) << 32 | int(low) & 0xffffffff
            found[int(number)] = value - (1 << 64) if value >> 63 else value
        address = r"^_?header_check_symbol_(\d+):[^\n]*\n\s*\.(?:quad|xword|dword|long|word|[48]byte)\s+(\S+)"
        for number, symbol in re.findall(address, assembly, re.M):
            found[int(number)] = symbol.removeprefix("_") if "apple" in self.target else symbol
        self.values = {key: found.get(number) for key, number in self.numbers.items()}

    def take_fields(self, layouts):
        """Makes a list of fields for each struct; an unnamed field becomes the list of its parts."""
        for layout in layouts.split("*** Dumping AST Record Layout"):
            rows = re.findall(r"^ *\d+(?::[-\d]+)? \|( +)(.*)$", layout, re.M)
            holder = rows and re.fullmatch(r"struct header_check_of_(\w+)", rows[0][1])
            if not holder:
                continue
            fields = self.fields[holder[1]] = []
            for indentation, row in rows[2:]:
                name = re.search(r" (\w+)$", row)
                if len(indentation) == 5:
                    fields.append(name[1] if name else [])
                elif len(indentation) > 5 and fields and isinstance(fields[-1], list) and name:
                    fields[-1].append(name[1])


def described(code, records):
    """A type's number, in words."""
    kind, size, inner = kind_of(code), size_of(code), code >> 20 & 0xfffff
    if kind in (UNSIGNED, SIGNED, FLOAT):
        return f"{ {UNSIGNED: 'u', SIGNED: 'i', FLOAT: 'f'}[kind] }{size * 8}"
    return {
        NOTHING: "void",
        POINTER: f"a pointer to {described(inner, records) if kind == POINTER else ''}",
        ARRAY: f"an array of {described(inner, records) if kind == ARRAY else ''}, of {size} bytes",
        RECORD: records.get(size, "a struct or union"),
        FUNCTION: "a function",
        ANYTHING: "anything",
    }[kind]
