#!/usr/bin/env python3
"""Keeps files and functions short: a file warns at 400 lines and fails at 600; a function warns at 40 and fails at 80;
a line fails beyond 120 columns. Functions are measured by their braces, from the line that opens a body at namespace or
class level."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_WARN, FILE_FAIL, FUNCTION_WARN, FUNCTION_FAIL, COLUMNS = 400, 600, 40, 80, 120
NOT_A_FUNCTION = re.compile(r"^\s*(namespace|class|struct|enum|union|extern|TEST_CASE|TEST_SUITE)\b|=\s*(\[.*\]\s*)?\{?$")


def code_only(line):
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    line = re.sub(r"'(\\.|[^'\\])'", "''", line)
    return line.split("//")[0]


def functions(lines):
    """Yields (first line, length) of each outermost braced body that is not a namespace or type."""
    stack = []  # True: a scope that may hold functions
    start = None
    raw = False
    for number, line in enumerate(lines, 1):
        if 'R"' in line and ')"' not in line.split('R"', 1)[1]:
            raw = True
        if raw:
            raw = ')"' not in line or 'R"' in line
            continue
        code = code_only(line)
        for position, character in enumerate(code):
            if character == "{":
                head = code[:position]
                is_scope = bool(re.search(r"\b(namespace|class|struct|enum|union|extern)\b", head)) and "(" not in head
                if all(stack) and not is_scope and start is None:
                    start = (number, len(stack))
                stack.append(is_scope and start is None)
            elif character == "}" and stack:
                stack.pop()
                if start and len(stack) == start[1]:
                    yield start[0], number - start[0] + 1
                    start = None


def main():
    failures, warnings = [], []
    files = [p for folder in ("src", "apps", "modules", "bench") for p in sorted((ROOT / folder).rglob("*.[ch]pp"))]
    for path in files:
        name = path.relative_to(ROOT)
        lines = path.read_text().splitlines()
        is_test = path.name.endswith("_test.cpp")
        if len(lines) > FILE_FAIL:
            failures.append(f"{name}: {len(lines)} lines (at most {FILE_FAIL}): split it by idea")
        elif len(lines) > FILE_WARN:
            warnings.append(f"{name}: {len(lines)} lines: is it still one idea?")
        failures += [f"{name}:{n}: {len(l)} columns (at most {COLUMNS})" for n, l in enumerate(lines, 1)
                     if len(l) > COLUMNS and "http" not in l and 'R"' not in l and not is_test]
        if is_test:
            continue
        for first, length in functions(lines):
            if length > FUNCTION_FAIL:
                failures.append(f"{name}:{first}: a function of {length} lines (at most {FUNCTION_FAIL})")
            elif length > FUNCTION_WARN:
                warnings.append(f"{name}:{first}: a function of {length} lines")
    if "--warnings" in sys.argv:
        print("\n".join(warnings))
    print("\n".join(failures) if failures else f"sizes: {len(files)} files, {len(warnings)} long ones (--warnings lists them)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
