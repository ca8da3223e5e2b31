"""Byte-compile files with the interpreter that runs this: lines ``source TAB name TAB output`` on stdin."""

import py_compile
import sys


def main() -> None:
    """Compile each line's file; one that is no Python of this version stays a source."""
    for line in sys.stdin:
        source, name, output = line.rstrip("\n").split("\t")
        try:
            py_compile.compile(
                source,
                cfile=output,
                dfile=name,
                doraise=True,
                # Lambda unpacks with times of its own: a time-stamped file would be taken for stale.
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError):
            continue


if __name__ == "__main__":
    main()
