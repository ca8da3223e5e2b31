"""Describe in one line why an ini file cannot be loaded, and what to do about it."""

from __future__ import annotations

import configparser
import re
from importlib import metadata
from pathlib import Path

from paste.deploy.loadwsgi import ConfigLoader

from ..exceptions import ConfigError

#: The messages of PasteDeploy: paste/deploy/loadwsgi.py, ConfigLoader.
_NO_SECTION = re.compile(
    r"No section (['\"])(?P<name>.*)\1 \(prefixed by '(?P<kind>\w+)'.*\) found in config (?P<file>.*)"
)
_NO_LOADER = re.compile(r"No loader given in section (['\"])(?P<section>.*)\1")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_USE = "use = egg:pypicloud"


def not_ini(path: str, reason: str) -> ConfigError:
    """Return the error that a file is not an ini file."""
    return ConfigError(f"{path} is not an ini file: {reason}; give the path of the file that pserve takes")


def no_loader() -> ConfigError:
    """Return the error that the loader of ini files was not found among the installed distributions."""
    for distribution in metadata.distributions():
        try:
            _ = distribution.metadata["Name"], distribution.entry_points
        except (ValueError, TypeError, KeyError, OSError) as error:
            # The public attributes need the metadata.
            place = getattr(distribution, "_path", "an installed distribution")
            return ConfigError(
                f"the metadata in {place} is damaged ({first_line(error)}), so no ini file can be loaded:"
                " remove that directory, and install the distribution again"
            )
    return ConfigError(
        "the loader of ini files is not installed completely:"
        " pip install --force-reinstall --no-deps plaster plaster_pastedeploy"
    )


def unreadable(path: str, error: Exception) -> ConfigError:
    """Return the error that an ini file, or what it refers to, cannot be read or parsed."""
    if isinstance(error, configparser.DuplicateOptionError):
        return ConfigError(
            f"{error.source or path} sets {error.option} more than once in [{error.section}], again in line"
            f" {error.lineno}: remove one of the lines"
        )
    if isinstance(error, configparser.DuplicateSectionError):
        return ConfigError(
            f"{error.source or path} has the section [{error.section}] more than once, again in line"
            f" {error.lineno}: combine them"
        )
    if isinstance(error, configparser.Error | UnicodeDecodeError):
        return not_ini(path, _why_not_ini(path, error))
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        other = str(error.filename)
        place = path if Path(other).resolve() == Path(path).resolve() else f"{other}, which {path} refers to"
        return ConfigError(f"cannot read {place} ({error.strerror}): check the path and the permissions")
    if isinstance(error, ImportError):
        return ConfigError(
            f"cannot load {path} ({first_line(error)}): install what it names next to ppc-s3sync"
        )
    return ConfigError(f"cannot read {path}: {first_line(error)}")


def unresolved(path: str, section: str, error: LookupError, sections: str) -> ConfigError:
    """Return the error that a section, or what it refers to, does not exist or says too little.

    Parameters
    ----------
    path : str
        The ini file.
    section : str
        The name of the section to load.
    error : LookupError
        PasteDeploy's error.
    sections : str
        The sections that are pypicloud, in words; empty if there are none.
    """
    return ConfigError(f"{_what(path, section, error)}{f', or use {sections}' if sections else ''}")


def _what(path: str, section: str, error: LookupError) -> str:
    text = first_line(error)
    found = _NO_SECTION.fullmatch(text)
    if found and not found["name"].strip():
        return f"a section of {path} has an empty `use`: complete it, for example {_USE}"
    if found:
        wanted, file = f"[{found['kind']}:{found['name']}]", found["file"]
        if Path(file).resolve() != Path(path).resolve():
            return f"{file}, which {path} refers to, has no section {wanted}: check the name"
        referred = "" if found["name"] == section else f", which {path}#{section} refers to"
        return f"{path} has no section {wanted}{referred}: check the name"
    found = _NO_LOADER.fullmatch(text)
    if found:
        name = found["section"]
        place = path if _lacks_use(path, name) else f"a file that {path} refers to"
        example = _USE if name.startswith("app") else "use = NAME"
        return f"the section [{name}] of {place} has no `use`: add a line such as {example}"
    return f"cannot load {path}#{section} ({text}): correct the file"


def _lacks_use(path: str, section: str) -> bool:
    parser = ConfigLoader(path).parser
    return bool(parser.has_section(section)) and not parser.has_option(section, "use")


def _why_not_ini(path: str, error: Exception) -> str:
    if Path(path).read_bytes().startswith(_BYTE_ORDER_MARK):
        return "it begins with a byte order mark, so save it as UTF-8 without one"
    return first_line(error)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
