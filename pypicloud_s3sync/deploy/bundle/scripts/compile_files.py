"""Byte-compile the files listed on stdin, in lines of JSON: ``[source, name, output]``."""

import json
import py_compile
import sys


def main() -> None:
    """Compile each file; skip those that are not valid in this version of Python."""
    for line in sys.stdin:
        source, name, output = json.loads(line)
        try:
            py_compile.compile(
                source,
                cfile=output,
                dfile=name,
                doraise=True,
                # Lambda sets file times of its own when it unpacks, so a time-stamped file would look stale.
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError):
            continue


if __name__ == "__main__":
    main()
