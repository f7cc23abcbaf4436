#!/usr/bin/env python3
"""Compares every #include in src/ and apps/ with the dependency graph in src/CMakeLists.txt.

A library may include itself, what its line says, and what that says in turn. Heavy headers stay in the libraries that
own them. Prints each offence as file:line; exit status 1 when there is one.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"

# Header prefix -> libraries whose files may include it. "" stands for apps and modules.
HEAVY = [
    (r"boost/asio/(?!awaitable|any_io_executor|this_coro|cancellation)", {"base", "net", "sim"}),
    (r"boost/beast/", {"codec", "net"}),
    (r"openssl/", {"crypto", "net"}),
    (r"sqlite3", {"storage"}),
    (r"proton/", {"codec"}),
    (r"toml\+\+/|toml", {"daemon", "cli"}),
    (r"CLI/", {"cli", "app"}),
    (r"spdlog/", {"base"}),
    (r"re2/", {"agent"}),
    (r"zlib", {"agent", "codec"}),
]
BANNED = [r"regex$", r"boost/asio\.hpp", r"boost/beast\.hpp", r"boost/beast/websocket", r"boost/outcome"]
TEST_ONLY = {"sim"}


def graph():
    direct = {}
    for line in (SOURCE / "CMakeLists.txt").read_text().splitlines():
        match = re.match(r"skerry_library\((\w+)\s*(.*?)\)", line)
        if not match:
            continue
        words = match.group(2).split()
        depends, keyword = [], None
        tests = []
        for word in words:
            if word.isupper() and len(word) > 3:
                keyword = word
            elif keyword == "DEPENDS":
                depends.append(word)
            elif keyword == "TEST_DEPENDS":
                tests.append(word)
        direct[match.group(1)] = (depends, tests)
    return direct


def closure(direct, name, seen=None):
    seen = seen if seen is not None else set()
    for below in direct[name][0]:
        if below not in seen:
            seen.add(below)
            closure(direct, below, seen)
    return seen


def cycles(direct):
    for name in direct:
        if name in closure(direct, name):
            yield f"src/CMakeLists.txt: {name} depends on itself"


def is_for_tests(path):
    return path.stem.endswith(("_test", "_bench", "_fuzz", "_fixture")) or path.stem.startswith("test_")


def check_file(path, library, allowed, libraries):
    is_test = path.name.endswith(("_test.cpp", "_test.hpp", "_bench.cpp", "_fuzz.cpp"))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, target = match.group(1) == '"', match.group(2)
        where = f"{path.relative_to(ROOT)}:{number}"
        if quoted:
            owner = target.split("/")[0]
            if library == "app" and "/" not in target:
                continue  # beside it in its own folder
            if owner not in libraries:
                yield f'{where}: "{target}" names no library: include as "library/file.hpp"'
            elif owner != library and owner not in allowed:
                yield f"{where}: {library} may not include {owner} (see src/CMakeLists.txt)"
            continue
        if any(re.match(pattern, target) for pattern in BANNED):
            yield f"{where}: <{target}> is banned (docs/adr, compile time)"
        for pattern, owners in HEAVY:
            if re.match(pattern, target) and library not in owners and not is_test:
                yield f"{where}: <{target}> belongs to {', '.join(sorted(owners))} only"
        if path.suffix == ".hpp" and target == "iostream":
            yield f"{where}: <iostream> in a header"


def main():
    direct = graph()
    libraries = set(direct)
    offences = list(cycles(direct))
    for path in sorted(SOURCE.rglob("*.[ch]pp")):
        library = path.relative_to(SOURCE).parts[0]
        if library not in libraries:
            offences.append(f"{path.relative_to(ROOT)}: folder {library} is not in src/CMakeLists.txt")
            continue
        allowed = closure(direct, library)
        if is_for_tests(path):
            for extra in ["sim", *direct[library][1]]:
                allowed |= {extra} | closure(direct, extra)
        offences += check_file(path, library, allowed, libraries)
    for path in sorted((ROOT / "apps").rglob("*.[ch]pp")):
        offences += check_file(path, "app", libraries - TEST_ONLY, libraries)
    print("\n".join(offences) if offences else f"layers: {len(libraries)} libraries, every include points down")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
