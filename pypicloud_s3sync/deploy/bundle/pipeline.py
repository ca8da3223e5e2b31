"""Run the steps of a build one after the other."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...exceptions import BundleError
from ...sync.counts import count_of
from .archive import is_binary, write_zip
from .bytecode import compile_files
from .closure import Part, parts_of
from .collect import Files
from .fetch import fetch
from .interpreters import OLDEST, find_python, may_import
from .models import BuildListener, Bundle, BundleSpec, Target, check_unzipped_size
from .offline import advice
from .platforms import host_can_run
from .trim import choose_files
from .verify import Check, checking

_STEPS = 6


@dataclass
class _Steps:
    """Reports a build's progress to a listener, if there is one."""

    listener: BuildListener | None
    done: int = 0

    def note(self, message: str) -> None:
        """Report a message about the current step."""
        if self.listener:
            self.listener(message, self.done, _STEPS)

    def finish(self, message: str) -> None:
        """Report that a step is done."""
        self.done += 1
        self.note(message)


def build(spec: BundleSpec, listener: BuildListener | None = None) -> Bundle:
    """Build the bundle that a spec describes, and import it in a clean interpreter if the host can run it.

    The host needs the target's version of Python, and its platform only if the bundle contains binaries.

    Parameters
    ----------
    spec : BundleSpec
    listener : callable, optional
        Takes ``(message, done, total)`` after each step, and for notes in between.

    Returns
    -------
    Bundle
        The same bytes for the same spec, distributions and interpreter.

    Raises
    ------
    BundleError
        If a distribution or a wheel is missing, the result is too large for Lambda, it cannot be imported, or
        the temporary directory cannot be written.
    """
    try:
        return _build(spec, _Steps(listener))
    except OSError as error:
        raise BundleError(
            f"cannot build the bundle ({error}): set TMPDIR to a directory that can be written and has space"
        ) from error


def _build(spec: BundleSpec, steps: _Steps) -> Bundle:
    python = find_python(spec.target.python)
    parts = parts_of(spec)
    steps.finish(f"selected {len(parts)} distributions for {spec.target}")
    importing = python if python and may_import(python, spec.target.python) else None
    with checking(importing) as check:
        contents = _contents(parts, spec, python, steps)
        bundle = Bundle(write_zip(contents), sum(map(len, contents.values())))
        steps.finish(f"zipped to {bundle.size / 1024**2:.1f} MiB")
        _verify(bundle, spec, check, steps, any(map(is_binary, contents)))
    return bundle


def _contents(parts: list[Part], spec: BundleSpec, python: str | None, steps: _Steps) -> dict[str, bytes]:
    """Return the contents of the files that go in, by name."""
    with tempfile.TemporaryDirectory(prefix="ppc-s3sync-") as directory:
        files = _gather(parts, spec, Path(directory), steps)
        files |= _compiled(files, spec.target, python, Path(directory, "compiled"), steps)
        return _read(files)


def _gather(parts: list[Part], spec: BundleSpec, directory: Path, steps: _Steps) -> Files:
    """Return the files that go in, after fetching wheels if necessary."""
    target = spec.target
    missing = [part for part in parts if part.fetch]
    for part in missing:
        if part.distribution.version != part.version:
            installed = f"{part.name} {part.distribution.version}"
            steps.note(f"{installed} cannot run on {target.runtime}: using {part.fetch} instead")
    advise = functools.partial(advice, spec)
    fetched = fetch(missing, target, directory / "fetched", advise) if missing else {}
    names = ", ".join(str(part.fetch) for part in missing)
    steps.finish(f"fetched {names}" if names else "no wheels to fetch")
    files = choose_files(spec, parts, fetched, directory / "slim")
    check_unzipped_size(sum(path.stat().st_size for path in files.values()), "the bundle")
    steps.finish(f"collected {count_of(len(files), 'file')}")
    return files


def _compiled(files: Files, target: Target, python: str | None, directory: Path, steps: _Steps) -> Files:
    if python is None:
        steps.finish(
            f"not compiled: this host has no {target.runtime}, so a cold start takes a few seconds longer"
        )
        return {}
    compiled = compile_files(files, target, python, directory)
    steps.finish(f"compiled {count_of(len(compiled), 'file')} for {target.runtime}")
    return compiled


def _read(files: Files) -> dict[str, bytes]:
    contents = {name: path.read_bytes() for name, path in files.items()}
    check_unzipped_size(sum(map(len, contents.values())), "the bundle")
    return contents


def _verify(bundle: Bundle, spec: BundleSpec, check: Check | None, steps: _Steps, has_binaries: bool) -> None:
    if has_binaries and not host_can_run(spec.target):
        steps.finish(f"not verified: this host cannot run {spec.target.architecture} binaries for Linux")
    elif check is None:
        oldest = OLDEST.get(spec.target.python)
        newer = f" ({'.'.join(map(str, oldest))} or newer)" if oldest else ""
        steps.finish(f"not verified: this host has no {spec.target.runtime}{newer}")
    else:
        check.run(bundle.data, spec)
        steps.finish(f"imported in a clean {spec.target.runtime}")
