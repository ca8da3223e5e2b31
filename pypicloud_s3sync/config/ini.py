"""Find pypicloud's settings in a paste ini file, as ``pserve`` does."""

from __future__ import annotations

import configparser
import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import plaster
from paste.deploy import appconfig
from paste.deploy.loadwsgi import APP, ConfigLoader, LoaderContext

from ..exceptions import ConfigError
from .environ import EnvironSettings
from .ini_errors import no_loader, not_ini, unreadable, unresolved

#: The settings by which an application with a factory of its own counts as pypicloud.
_OWN_SETTINGS = ("pypi.", "storage.", "db.", "s3sync.")
_REFERENCE = re.compile(r"%\(([^)]+)\)s")
#: plaster's scheme of an ini file. With the name of its distribution, plaster reads only the metadata of that
#: one, not of every distribution that is installed.
_INI = "file+ini"
_INI_OF_PASTEDEPLOY = f"plaster_pastedeploy+{_INI}"
#: The settings ``use`` that name pypicloud.
_PYPICLOUD = ("egg:pypicloud", "egg:pypicloud#main")


def load_ini(config_uri: str, variables: Mapping[str, str] | None = None) -> EnvironSettings:
    """Return the settings of the pypicloud application that ``pserve`` would serve.

    Parameters
    ----------
    config_uri : str
        ``file.ini`` or ``file.ini#section``. The section may be an application, or a pipeline, a composite or
        a filter that contains one.
    variables : dict, optional
        Values for ``%(NAME)s`` in the ini file.

    Raises
    ------
    ConfigError
        If the file or the section does not exist, the file is not an ini file, a ``%(NAME)s`` has no value, a
        variable has no effect, or there is not exactly one pypicloud application.
    """
    return load_inis([config_uri], variables)[0]


def load_inis(
    config_uris: Sequence[str], variables: Mapping[str, str] | None = None
) -> list[EnvironSettings]:
    """Return the settings of several applications, for commands that take several ini files.

    The variables apply to all. One that changes nothing in any of them is an error, as in :func:`load_ini`.

    Raises
    ------
    ConfigError
        As in :func:`load_ini`.
    """
    read = [_load(config_uri, variables or {}) for config_uri in config_uris]
    for _, ineffective in read:
        for name, message in ineffective.items():
            if name not in (variables or {}) or all(name in others for _, others in read):
                raise ConfigError(message)
    return [EnvironSettings(settings) for settings, _ in read]


def _load(config_uri: str, variables: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings of an ini file, and why a variable has no effect in it, by the variable's name."""
    loader = _loader(config_uri)
    if not hasattr(loader, "pastedeploy_spec"):
        # Another format than ini, for which pserve needs an add-on.
        return dict(loader.get_wsgi_app_settings(defaults=dict(variables))), {}
    variables = {**loader.uri.options, **variables}
    settings = _settings(loader, variables)
    return settings, {} if loader.filepath is None else dict(_ineffective(loader, variables, settings))


def _loader(config_uri: str) -> Any:
    """Return plaster's loader for an existing file or an egg."""
    scheme, path = _scheme_and_path(config_uri)
    if os.path.isdir(path):
        raise ConfigError(
            f"{path} is a directory, not an ini file: give the path of the ini file that pserve takes"
        )
    loader = _find_loader(config_uri)
    if loader is None and scheme:
        raise ConfigError(f"pserve does not know the scheme of {scheme}:{path}: give the path of an ini file")
    file = getattr(loader, "filepath", path)
    if file is not None and not os.path.isfile(file):
        raise ConfigError(
            f"the config file {path!r} does not exist: give the path of the ini file that pserve takes"
        )
    if loader is None:
        raise no_loader() if path.endswith(".ini") else not_ini(path, "its name does not end with .ini")
    return loader


def _find_loader(config_uri: str) -> Any:
    """Return plaster's loader, or None if no installed distribution has one for the URI."""
    try:
        uri = plaster.parse_uri(config_uri)
        if uri.scheme == _INI:
            uri.scheme = _INI_OF_PASTEDEPLOY
        return plaster.get_loader(uri, protocols=["wsgi"])
    except (plaster.InvalidURI, plaster.LoaderNotFound):
        return None
    except (ValueError, TypeError, KeyError, OSError) as error:
        # plaster reads the metadata of all installed distributions.
        raise no_loader() from error


def _scheme_and_path(config_uri: str) -> tuple[str, str]:
    """Return the scheme of a URI, empty if it has none, and its path."""
    try:
        uri = plaster.parse_uri(config_uri)
    except ValueError:
        # It has neither a scheme nor an extension.
        return "", config_uri.partition("#")[0]
    return uri.scheme if config_uri.startswith(f"{uri.scheme}:") else "", uri.path


def _settings(loader: Any, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the pypicloud application in the section that the URI names."""
    path, section = loader.uri.path, loader.uri.fragment or "main"
    try:
        return _only_pypicloud(_applications(_context(loader, section, variables)), loader, variables)
    except configparser.InterpolationError as error:
        missing = getattr(error, "reference", None)
        hint = f"add {missing}=VALUE to the command" if missing else "write a literal % as %%"
        # Without its cause, which repeats the value: it may be a db.url with a password.
        raise ConfigError(f"{path}: [{error.section}] {error.option} cannot be expanded: {hint}") from None
    except LookupError as error:
        if loader.filepath and not ConfigLoader(loader.filepath).parser.sections():
            raise not_ini(path, "it has no sections") from error
        raise unresolved(path, section, error, _pypicloud_sections(loader, variables)) from error
    except (configparser.Error, ImportError, ValueError, OSError, AttributeError, RecursionError) as error:
        raise unreadable(path, error) from error


def _context(loader: Any, section: str, variables: Mapping[str, str]) -> Any:
    """Return PasteDeploy's description of a section, which ``pserve`` would make an application from."""
    folder = os.path.dirname(loader.filepath) if loader.filepath else os.getcwd()
    defaults = {"__file__": loader.filepath, "here": folder, **variables}
    if loader.filepath is None:
        return appconfig(loader.pastedeploy_spec, section, global_conf=defaults).context
    file = _IniFile(unquote(loader.filepath))
    file.update_defaults(defaults, overwrite=False)
    return file.get_context(APP, section, defaults)


class _IniFile(ConfigLoader):  # type: ignore[misc]  # PasteDeploy has no types
    """An ini file as PasteDeploy reads it, but pypicloud is not imported, which takes half a second."""

    def get_context(self, object_type: Any, name: str | None = None, global_conf: Any = None) -> Any:
        """Return the description of a section, or of what the setting ``use`` names."""
        if object_type is APP and name in _PYPICLOUD:
            return LoaderContext(name, APP, "paste.app_factory", global_conf or {}, {}, self)
        return super().get_context(object_type, name, global_conf)


def _applications(context: Any) -> Iterator[Any]:
    """Yield the contexts of the applications in a context: itself, or those that it contains."""
    if hasattr(context, "app_context"):
        yield from _applications(context.app_context)
    elif hasattr(context, "next_context"):
        yield from _applications(context.next_context)
    elif context.protocol in ("paste.composite_factory", "paste.composit_factory"):
        for name in context.local_conf.values():
            yield from _applications_named(name, context)
    else:
        yield context


def _applications_named(name: str, composite: Any) -> Iterator[Any]:
    """Yield the applications that a setting of a composite names; none if it is another kind of setting."""
    loader = composite.loader
    if not loader.absolute_name(name):
        try:
            loader.find_config_section(composite.object_type, name=name)
        except LookupError:
            return
    yield from _applications(loader.app_context(name=name, global_conf=composite.global_conf))


def _only_pypicloud(contexts: Iterator[Any], loader: Any, variables: Mapping[str, str]) -> dict[str, str]:
    applications = list(contexts)
    found = [application for application in applications if _is_pypicloud(application)]
    sections = _pypicloud_sections(loader, variables) if len(found) != 1 else ""
    if not found and len(applications) == 1 and not sections and not _is_of_paste(applications[0]):
        # Perhaps all of its settings are environment variables.
        found = applications
    settings = [dict(application.local_conf) for application in found]
    path, section = loader.uri.path, loader.uri.fragment or "main"
    if not settings:
        hint = f"use {sections}" if sections else "name a section with pypicloud's settings"
        raise ConfigError(f"the section {section} of {path} does not contain pypicloud: {hint}")
    if any(other != settings[0] for other in settings):
        raise ConfigError(
            f"the section {section} of {path} contains {len(settings)} pypicloud applications:"
            f" use {sections or 'the section of one of them'}"
        )
    return settings[0]


def _is_pypicloud(application: Any) -> bool:
    factory = getattr(application.object, "__module__", "")
    is_named = application.object in _PYPICLOUD or factory == "pypicloud"
    return is_named or any(key.startswith(_OWN_SETTINGS) for key in application.local_conf)


def _is_of_paste(application: Any) -> bool:
    """Return whether an application only serves files or the like, for example ``egg:Paste#static``."""
    module = getattr(application.object, "__module__", None) or ""
    return module.partition(".")[0] in ("paste", "PasteDeploy")


def _pypicloud_sections(loader: Any, variables: Mapping[str, str]) -> str:
    """Return the URIs of the file's sections that are pypicloud applications, for an error message."""
    if loader.filepath is None:
        return ""
    found = []
    for section in ConfigLoader(loader.filepath).parser.sections():
        kind, _, name = section.partition(":")
        if kind in ("app", "application") and name and _section_is_pypicloud(loader, name.strip(), variables):
            found.append(f"{loader.uri.path}#{name.strip()}")
    return " or ".join(found)


def _section_is_pypicloud(loader: Any, name: str, variables: Mapping[str, str]) -> bool:
    try:
        return any(map(_is_pypicloud, _applications(_context(loader, name, variables))))
    except (configparser.Error, LookupError, ImportError, ValueError, OSError, AttributeError):
        return False


def _ineffective(
    loader: Any, variables: Mapping[str, str], settings: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield each variable that changes nothing, and why: the user would believe that it does."""
    path = loader.uri.path
    defaults = ConfigLoader(loader.filepath).parser.defaults()
    used = set(_REFERENCE.findall(Path(loader.filepath).read_text()))
    for name, value in variables.items():
        if _has_effect(loader, variables, name, settings) or defaults.get(name) == value:
            continue
        if name in defaults:
            yield (
                name,
                f"the variable {name} has no effect: [DEFAULT] in {path} sets it, which pserve prefers too:"
                " change it there, or remove it from the command",
            )
        elif name not in used:
            nearest = difflib.get_close_matches(name, used, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "remove it from the command"
            yield name, f"the variable {name} has no effect: {path} does not use %({name})s: {hint}"


def _has_effect(loader: Any, variables: Mapping[str, str], name: str, settings: Mapping[str, str]) -> bool:
    """Return whether another value of a variable would change the settings."""
    try:
        return _settings(loader, {**variables, name: f"{variables[name]}0"}) != settings
    except ConfigError:
        return True
