"""The compilers, and what all parts of the check have in common."""
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Kinds of types, as in types.h and types.rs.
NOTHING, UNSIGNED, SIGNED, POINTER, ARRAY, RECORD, FUNCTION, FLOAT, ANYTHING = range(9)
# Stands for Rust's `None` in place of the number of a constant, as in types.rs.
NONE = 1 << 100


class Failed(Exception):
    pass


def kind_of(code):
    return code >> 16 & 0xf


def size_of(code):
    return code & 0xffff


def run(*command, **options):
    words = [str(word) for word in command]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


class Toolchain:
    """rustc, and zig with the headers."""

    def __init__(self, cache, zig, rust_source):
        self.zig, self.source = zig, rust_source
        zig_cache = str(cache / "zig-cache")
        self.environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=zig_cache, ZIG_LOCAL_CACHE_DIR=zig_cache)
        self.unstable = dict(self.environment, RUSTC_BOOTSTRAP="1")
        version = run("rustc", "-vV")
        if version.returncode != 0:
            raise Failed(f"no rustc: {version.stderr}")
        commit = re.search(r"^commit-hash: (\w+)", version.stdout, re.M)[1]
        # One folder for each compiler: rustc rejects the metadata of another version.
        self.sysroot = cache / f"core-{commit[:12]}"
        own = Path(run("rustc", "--print", "sysroot").stdout.strip())
        self.elsewhere = [own, cache.parent / f"std-checked-{commit}" / "sysroot"]

    def standard_library(self, target):
        """Makes the part of the standard library that the ffi.rs files use: `core`, type-checked, and a `std` that
        reexports it."""
        folder = self.sysroot / "lib" / "rustlib" / target / "lib"
        if folder.exists():
            return
        new = self.sysroot / f"{target}.{os.getpid()}"
        shutil.rmtree(new, ignore_errors=True)
        made = new / "lib" / "rustlib" / target / "lib"
        made.mkdir(parents=True)
        builtins, std = new / "compiler_builtins.rs", new / "std.rs"
        builtins.write_text("#![feature(compiler_builtins)]\n#![compiler_builtins]\n#![no_std]\n")
        std.write_text("#![no_std]\npub use core::*;\npub mod os { pub mod raw { pub use core::ffi::*; } }\n")
        crates = [
            ("compiler_builtins", builtins, ["--edition", "2021"]),
            ("std", std, ["--edition", "2021"]),
        ]
        # The toolchain has some targets, and `std-metadata.sh` may have built others.
        name = f"lib/rustlib/{target}/lib/libcore-*.rmeta"
        if ready := [core for folder in self.elsewhere for core in folder.glob(name)]:
            shutil.copy(ready[0], made)
        else:
            core = self.source / "core" / "src" / "lib.rs"
            crates.insert(0, ("core", core, ["--edition", "2024", "-Zforce-unstable-if-unmarked"]))
        for name, source, more in crates:
            done = run("rustc", "--crate-name", name, "--crate-type", "lib", "--emit", "metadata", "--cap-lints",
                       "allow", "--target", target, "--sysroot", new, "--out-dir", made, *more, source,
                       env=self.unstable)
            if done.returncode != 0:
                raise Failed(f"no {name} for {target}: {done.stderr[:3000]}")
        # The rename is the last step: a folder of this name is complete.
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        shutil.rmtree(new)
