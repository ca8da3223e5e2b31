"""Find the installed distributions that go into a bundle, and those that need other wheels for the target."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata

from packaging.requirements import Requirement
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from ...exceptions import BundleError
from .backends import cache_needs, has_known_cache
from .contents import NOT_IMPORTED, PURE_WITHOUT_BINARIES, REPLACED, REPLACED_IN_PART, SDK
from .installed import Details, check_not_editable, metadata_of, read_details, read_record
from .models import BundleSpec, Target
from .platforms import marker_environments, python_full_version, tags

#: Before 66.1, pkg_resources uses pkgutil.ImpImporter, which Python 3.12 removed. A new virtual environment
#: of Python 3.11 has 65.5. The replacement imports faster than the versions in between, and does not yet
#: print a warning at each start, as 80 does. Both can go once pypicloud and Pyramid do not import
#: pkg_resources.
_SETUPTOOLS_FOR_312 = Version("66.1")
_SETUPTOOLS_INSTEAD = "75.8.2"

#: Distributions that publish no wheels, and the name under which the same release has them.
_WHEELS_OF = {"psycopg2": "psycopg2-binary"}


@dataclass(frozen=True)
class Part:
    """A distribution that goes into the bundle.

    Parameters
    ----------
    name : str
        The normalized name.
    version : str
        The version that goes into the bundle.
    distribution : importlib.metadata.Distribution
        The installed distribution.
    fetch : str, optional
        ``name==version`` of the wheel to fetch if the installed files do not run on the target.
    untouched : bool
        Whether it is one of the extra packages, or required by one: all of it goes in, unchanged.
    entire : bool
        Whether all of its files go in, not only those that the handler can import.
    """

    name: str
    version: str
    distribution: metadata.Distribution
    fetch: str | None = None
    untouched: bool = False
    entire: bool = False


@dataclass(frozen=True)
class _Wanted:
    """A requirement to follow.

    Parameters
    ----------
    requirement : Requirement
    by : str
        Who requires it, for error messages.
    install : str
        What to ``pip install`` if it is missing.
    whole : bool
        Whether to follow all of its own requirements, including those in :data:`.contents.NOT_IMPORTED`.
    entire : bool
        Whether all files of it and of its own requirements go in.
    """

    requirement: Requirement
    by: str
    install: str
    whole: bool = False
    entire: bool = False


def parts_of(spec: BundleSpec) -> list[Part]:
    """Return the distributions that a spec needs, sorted by name.

    These are pypicloud, the distributions of the cache and the extra packages, each with its requirements on
    the target, without those that :mod:`.contents` leaves out.

    Raises
    ------
    BundleError
        If a distribution is missing, has a version that the requirement excludes, does not support the
        target's Python, or is installed without a list of its files.
    """
    found: dict[str, Part] = {}
    seen: set[tuple[str, frozenset[str], bool, bool]] = set()
    has_stand_ins = has_known_cache(spec)
    left_out = {*NOT_IMPORTED, *(REPLACED if has_stand_ins else ())}
    queue = list(_roots(spec))
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.requirement.name)
        key = (name, frozenset(wanted.requirement.extras), wanted.whole, wanted.entire)
        if name in SDK or key in seen:
            continue
        seen.add(key)
        distribution, details = _find(wanted, spec.target)
        if name not in found:
            _check_python(name, details, spec.target)
            found[name] = _part(name, details.version, distribution, spec.target)
        found[name] = _with_all_of(found[name], wanted)
        if has_stand_ins and name in REPLACED_IN_PART and not wanted.whole:
            continue
        with metadata_of(name):
            queue += _required(wanted, details.requirements, spec.target, left_out)
    return [found[name] for name in sorted(found)]


def _roots(spec: BundleSpec) -> Iterator[_Wanted]:
    yield _Wanted(Requirement("pypicloud"), "the handler", "pypicloud")
    needs = cache_needs(spec)
    for requirement in needs.requirements:
        # No source shows what a binary imports.
        is_driver = requirement in needs.drivers
        yield _Wanted(requirement, f"pypi.db = {spec.cache}", needs.install, entire=is_driver)
    for name in spec.extra_packages:
        try:
            requirement = Requirement(name)
        except ValueError as error:
            raise BundleError(
                f"Invalid value {name!r} for s3sync.extra_packages: expected names of distributions ({error})"
            ) from error
        yield _Wanted(requirement, "s3sync.extra_packages", name, whole=True)


def _with_all_of(part: Part, wanted: _Wanted) -> Part:
    return replace(
        part, untouched=part.untouched or wanted.whole, entire=part.entire or wanted.entire or wanted.whole
    )


def _required(
    wanted: _Wanted, requirements: Iterable[Requirement], target: Target, left_out: Collection[str]
) -> Iterator[_Wanted]:
    environments = list(marker_environments(target))
    for requirement in requirements:
        if not wanted.whole and canonicalize_name(requirement.name) in left_out:
            continue
        extras = ("", *wanted.requirement.extras)
        if requirement.marker is None or any(
            requirement.marker.evaluate({**environment, "extra": extra})
            for environment, extra in itertools.product(environments, extras)
        ):
            bare = Requirement(requirement.name)
            bare.extras = requirement.extras
            yield _Wanted(bare, wanted.requirement.name, requirement.name, wanted.whole, wanted.entire)


def _find(wanted: _Wanted, target: Target) -> tuple[metadata.Distribution, Details]:
    requirement = wanted.requirement
    try:
        distribution = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        raise BundleError(
            f"{requirement.name}, which {wanted.by} needs on {target}, is not installed:"
            f" pip install {wanted.install}"
        ) from None
    details = read_details(requirement.name, distribution)
    if not requirement.specifier.contains(details.version, prereleases=True):
        raise BundleError(
            f"{wanted.by} needs {requirement}, but {details.version} is installed:"
            f" pip install '{requirement}'"
        )
    check_not_editable(requirement.name, distribution)
    read_record(requirement.name, distribution)
    return distribution, details


def _check_python(name: str, details: Details, target: Target) -> None:
    if not details.requires_python.contains(python_full_version(target)):
        raise BundleError(
            f"{name} {details.version} is installed here, but needs Python {details.requires_python}"
            " and cannot run on"
            f" {target.runtime}: choose another s3sync.runtime"
        )


def _part(name: str, version: str, distribution: metadata.Distribution, target: Target) -> Part:
    part = Part(name, version, distribution)
    if name == "setuptools" and target.python >= (3, 12) and Version(version) < _SETUPTOOLS_FOR_312:
        return replace(part, version=_SETUPTOOLS_INSTEAD, fetch=f"setuptools=={_SETUPTOOLS_INSTEAD}")
    if name in PURE_WITHOUT_BINARIES or runs_on(distribution, target):
        return part
    return replace(part, fetch=f"{_WHEELS_OF.get(name, name)}=={version}")


def runs_on(distribution: metadata.Distribution, target: Target) -> bool:
    """Return whether a distribution's files run on the target, by the tags of the wheel they came from.

    Without tags it is not known what the files were built for, so the answer is no.
    """
    with metadata_of(canonicalize_name(distribution.name)):
        lines = (distribution.read_text("WHEEL") or "").splitlines()
        return any(
            not tags(target).isdisjoint(parse_tag(line.removeprefix("Tag:").strip()))
            for line in lines
            if line.startswith("Tag:")
        )
