"""The ini is read as ``pserve`` reads it; what ``pserve`` would ignore or refuse is said in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from plaster import loaders

from pypicloud_s3sync.config.ini import load_ini
from pypicloud_s3sync.exceptions import ConfigError
from support.site_packages import SitePackages

PYPICLOUD = "use = egg:pypicloud\nstorage.bucket = packages\n"


@pytest.fixture
def ini(tmp_path: Path) -> Callable[[str], str]:
    """Write an ini; its path."""

    def write(text: str) -> str:
        path = tmp_path / "production.ini"
        path.write_text(text)
        return str(path)

    return write


def refusal(uri: str, variables: dict[str, str] | None = None) -> str:
    """Return the message with which an ini is refused, which is one line."""
    with pytest.raises(ConfigError) as caught:
        load_ini(uri, variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_ini_is_read_as_pserve_reads_it(ini: Callable[[str], str]) -> None:
    path = ini(
        "[app:main]\nuse = egg:pypicloud\nstorage.bucket = %(bucket)s\nfolder = %(here)s\n"
        "[app:other]\nuse = egg:pypicloud\nstorage.bucket = other\n"
    )
    assert load_ini(path, {"bucket": "b"})["storage.bucket"] == "b"
    assert load_ini(path, {"bucket": "b"})["folder"] == os.path.dirname(path)
    assert load_ini(f"{path}#other", {"bucket": "b"})["storage.bucket"] == "other"


def test_environment_variables_override_the_ini(
    ini: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPC_STORAGE_BUCKET", "env")
    assert load_ini(ini("[app:main]\nuse = egg:pypicloud\nstorage.bucket = b\n"))["storage.bucket"] == "env"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words\n", "is not an ini file"),
        (
            "[app:main]\nuse = egg:pypicloud\ndb.url = a\ndb.url = b\n",
            "production.ini sets db.url more than once in [app:main], again in line 4",
        ),
        ("[a]\n[app:main]\nx = 1\n[a]\n", "has the section [a] more than once, again in line 4: combine"),
        ("[app:other]\nuse = egg:pypicloud\n", "has no section [app:main]"),
        ("[app:main]\nuse = egg:pypicloud\na = %(nothing)s\n", "add nothing=VALUE to the command"),
        ("[app:main]\nuse = egg:pypicloud\na = 100%\n", "write a literal % as %%"),
        ("[app:main]\nuse = egg:no_such_distribution\n", "install what it names"),
        ("[app:main]\nuse = call:no_such_module:main\n", "install what it names"),
    ],
)
def test_an_invalid_ini_is_refused_with_one_line(ini: Callable[[str], str], text: str, message: str) -> None:
    path = ini(text)
    with pytest.raises(ConfigError) as caught:
        load_ini(path)
    assert message in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ini").write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(ConfigError, match="is not an ini file"):
        load_ini(str(tmp_path / "x.ini"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the config file .*nowhere\.ini' does not exist"):
        load_ini(str(tmp_path / "nowhere.ini"))


# The same URIs as pserve


@pytest.mark.parametrize(
    "uri", ["{}", "{}#main", "pastedeploy+ini:{}", "{}?bucket=b", "{}?bucket=b#main", "egg:pypicloud"]
)
def test_every_uri_of_pserve_is_read(ini: Callable[[str], str], uri: str) -> None:
    path = ini("[DEFAULT]\nunused = 1\n[app:main]\nuse = egg:pypicloud\nstorage.bucket = b%(bucket)s\n")
    variables = {} if "?" in uri or uri.startswith("egg") else {"bucket": "b"}
    found = load_ini(uri.format(path), variables)
    assert found.get("storage.bucket") == (None if uri.startswith("egg") else "bb")


def test_a_relative_path_is_read(ini: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.path.dirname(ini(f"[app:main]\n{PYPICLOUD}a = %(here)s\n")))
    assert load_ini("production.ini")["a"] == os.getcwd()


# pypicloud inside of something else

FILTER = "[filter:proxy]\nuse = egg:PasteDeploy#prefix\n"


@pytest.mark.parametrize(
    "text",
    [
        f"[pipeline:main]\npipeline = proxy pypicloud\n{FILTER}[app:pypicloud]\n{PYPICLOUD}",
        f"[composite:main]\nuse = egg:Paste#urlmap\n/pypi = pypicloud\n[app:pypicloud]\n{PYPICLOUD}",
        "[composit:main]\nuse = egg:Paste#urlmap\n/ = pypicloud\n/pypi = pypicloud\n"
        f"[app:pypicloud]\n{PYPICLOUD}",
        "[composite:main]\nuse = egg:Paste#cascade\napp1 = other\napp2 = pypicloud\ncatch = 404 500\n"
        f"[app:other]\nuse = egg:Paste#static\ndocument_root = /srv\n[app:pypicloud]\n{PYPICLOUD}",
        "[composite:main]\nuse = egg:Paste#urlmap\n/pypi = inner\n"
        f"[pipeline:inner]\npipeline = proxy pypicloud\n{FILTER}[app:pypicloud]\n{PYPICLOUD}",
        f"[filter-app:main]\nuse = egg:PasteDeploy#prefix\nnext = pypicloud\n[app:pypicloud]\n{PYPICLOUD}",
        f"[app:main]\nuse = pypicloud\nfilter-with = proxy\n{FILTER}[app:pypicloud]\n{PYPICLOUD}",
        f"[app:main]\nuse = pypicloud\n[app:pypicloud]\n{PYPICLOUD}",
        f"[application:main]\n{PYPICLOUD}",
        "[app:main]\npaste.app_factory = pyramid.static:static_view\nstorage.bucket = packages\n",
    ],
    ids=[
        "pipeline",
        "urlmap",
        "twice",
        "cascade",
        "nested",
        "filter-app",
        "filter-with",
        "use",
        "application",
        "factory",
    ],
)
def test_pypicloud_is_found_inside_of_the_section(ini: Callable[[str], str], text: str) -> None:
    assert dict(load_ini(ini(text)).items()) == {"storage.bucket": "packages"}


def test_pypicloud_is_found_in_another_file(ini: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "other.ini").write_text(f"[app:main]\n{PYPICLOUD}storage.prefix = %(prefix)s\n")
    path = ini("[composite:main]\nuse = egg:Paste#urlmap\n/pypi = config:other.ini\n")
    assert load_ini(path, {"prefix": "p/"})["storage.prefix"] == "p/"
    path = ini("[app:main]\nuse = config:other.ini\nstorage.bucket = mine\n")
    assert load_ini(path, {"prefix": "p/"})["storage.bucket"] == "mine"


def test_of_several_pypiclouds_the_sections_are_named(ini: Callable[[str], str]) -> None:
    path = ini(
        "[composite:main]\nuse = egg:Paste#urlmap\n/a = a\n/b = b\n"
        f"[app:a]\n{PYPICLOUD}[app:b]\nuse = a\nstorage.bucket = other\n"
    )
    message = refusal(path)
    assert message.startswith(f"the section main of {path} contains 2 pypicloud applications: use ")
    assert message.endswith(f"use {path}#a or {path}#b")
    assert load_ini(f"{path}#b")["storage.bucket"] == "other"


@pytest.mark.parametrize(
    "main",
    [
        "[composite:main]\nuse = egg:Paste#urlmap\n/ = static\n",
        "[app:main]\nuse = static\n",
        "[pipeline:main]\npipeline = static\n",
    ],
)
def test_without_pypicloud_inside_its_section_is_named(ini: Callable[[str], str], main: str) -> None:
    static = "[app:static]\nuse = egg:Paste#static\ndocument_root = /srv\n"
    path = ini(f"{main}{static}[app:index]\n{PYPICLOUD}")
    assert refusal(path) == f"the section main of {path} does not contain pypicloud: use {path}#index"


def test_a_section_that_is_missing_is_named_with_the_right_one(ini: Callable[[str], str]) -> None:
    path = ini(f"[app:index]\n{PYPICLOUD}")
    assert refusal(path).endswith(f" has no section [app:main]: check the name, or use {path}#index")
    assert "has no section [app:nothing]" in refusal(f"{path}#nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[app:main]\nstorage.bucket = b\n", "the section [app:main] of {} has no `use`: add a line such as"),
        (
            "[application:main]\na = b\n",
            "the section [application:main] of {} has no `use`: add a line such as",
        ),
        ("[composite:main]\n/ = index\n", "the section [composite:main] of {} has no `use`"),
        ("[filter-app:main]\nnext = index\n", "the section [filter-app:main] of {} has no `use`"),
        (
            "[composite:main]\nuse = egg:Paste#urlmap\n/ = other\n[app:other]\na = b\n",
            "the section [app:other] of {} has no `use`: add a line such as use = egg:pypicloud",
        ),
        ("[app:main]\nuse =\n", "a section of {} has an empty `use`: complete it"),
        ("[app:main]\nuse = config:other.ini\n", "the section [app:main] of a file that {} refers to has no"),
        ("[app:main]\nuse = nothing\n", "{} has no section [app:nothing], which {}#main refers to: check"),
        (
            "[pipeline:main]\npipeline = f index\n",
            "{} has no section [filter:f], which {}#main refers to: check",
        ),
        (
            "[app:main]\nuse = config:other.ini#x\n",
            "other.ini, which {} refers to, has no section [app:x]: check",
        ),
        (
            "[app:main]\nuse = config:no.ini\n",
            "no.ini, which {} refers to (No such file or directory): check",
        ),
        ("[app:main]\nuse = egg:pypicloud#x\n", "cannot load {}#main (Entry point 'x' not found in egg"),
    ],
)
def test_what_a_section_lacks_is_named_with_its_place(
    ini: Callable[[str], str], tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "other.ini").write_text("[app:main]\nstorage.bucket = b\n")
    path = ini(f"{text}[app:index]\n{PYPICLOUD}")
    found = refusal(path)
    assert message.replace("{}", path) in found
    if "no.ini" not in text:
        assert found.endswith(f", or use {path}#index")


@pytest.mark.parametrize(
    "main",
    [
        "[app:main]\nuse = egg:Paste#static\ndocument_root = /srv\n",
        "[composite:main]\nuse = egg:Paste#urlmap\n/ = s\n"
        "[app:s]\nuse = egg:Paste#static\ndocument_root = /srv\n",
    ],
)
def test_an_application_that_serves_files_is_not_taken_for_pypicloud(
    ini: Callable[[str], str], main: str
) -> None:
    path = ini(main)
    assert refusal(path) == (
        f"the section main of {path} does not contain pypicloud: name a section with pypicloud's settings"
    )


@pytest.mark.parametrize("scheme", ["config", "file", "yaml"])
def test_a_uri_that_pserve_does_not_take_is_refused_with_its_scheme(
    ini: Callable[[str], str], scheme: str
) -> None:
    path = ini(f"[app:main]\n{PYPICLOUD}")
    assert refusal(f"{scheme}:{path}") == (
        f"pserve does not know the scheme of {scheme}:{path}: give the path of an ini file"
    )


# Variables


def test_a_variable_that_the_file_sets_itself_is_refused(ini: Callable[[str], str]) -> None:
    path = ini(f"[DEFAULT]\naws_port = 4566\n[app:main]\n{PYPICLOUD}db.port = %(aws_port)s\n")
    message = refusal(path, {"aws_port": "1"})
    assert message.startswith(f"the variable aws_port has no effect: [DEFAULT] in {path} sets it")
    assert refusal(f"{path}?aws_port=1") == message
    assert load_ini(path, {"aws_port": "4566"})["db.port"] == "4566"


def test_a_variable_that_nothing_uses_is_refused_with_the_nearest_one(ini: Callable[[str], str]) -> None:
    path = ini(f"[DEFAULT]\nprefix = p\n[app:main]\n{PYPICLOUD}storage.prefix = %(prefix)s\n")
    assert refusal(path, {"prefx": "x"}).endswith("does not use %(prefx)s: did you mean prefix?")
    assert refusal(path, {"zzz": "x"}).endswith("remove it from the command")


def test_a_variable_of_another_section_or_of_get_is_accepted(ini: Callable[[str], str]) -> None:
    path = ini(
        f"[DEFAULT]\nregion = a\n[app:main]\n{PYPICLOUD}get db.region_name = region\n"
        "[server:main]\nuse = egg:waitress\nport = %(http_port)s\n"
    )
    assert load_ini(path, {"http_port": "1", "region": "b"})["db.region_name"] == "b"


# Files that are not ini files


@pytest.mark.parametrize("name", ["README.md", "app.py", "production.conf", "Dockerfile", "archive.tar.gz"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# pypicloud\n\nwords\n")
    message = refusal(str(tmp_path / name))
    assert message.startswith(f"{tmp_path / name} is not an ini file")
    assert message.endswith("give the path of the file that pserve takes")


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\x7fELF\x00\x01", "ü".encode("utf-16")])
def test_a_file_without_sections_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ini").write_bytes(content)
    assert "x.ini is not an ini file: " in refusal(str(tmp_path / "x.ini"))


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.ini").write_bytes(b"\xef\xbb\xbf[app:main]\n" + PYPICLOUD.encode())
    assert "so save it as UTF-8 without one" in refusal(str(tmp_path / "x.ini"))


@pytest.fixture(
    params=[
        ("METADATA", b"Metadata-Version: 2.1\nName: broken\nSummary: \xff\n"),
        ("entry_points.txt", b"[console_scripts]\nbroken\n"),
        ("entry_points.txt", b"\xff\xfe\x00"),
    ],
    ids=["METADATA", "entry point", "encoding"],
)
def damaged(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The metadata of a distribution that has nothing to do with ini files."""
    file, content = request.param
    SitePackages(tmp_path / "site", monkeypatch).install("broken")
    directory = tmp_path / "site" / "broken-1.0.dist-info"
    (directory / file).write_bytes(content)
    return str(directory)


@pytest.mark.usefixtures("damaged")
def test_damaged_metadata_of_another_distribution_does_not_matter(ini: Callable[[str], str]) -> None:
    assert load_ini(ini(f"[app:main]\n{PYPICLOUD}"))["storage.bucket"] == "packages"


def test_damaged_metadata_is_named_if_the_loader_must_be_searched(
    ini: Callable[[str], str], damaged: str
) -> None:
    message = refusal("pastedeploy+ini:" + ini(f"[app:main]\n{PYPICLOUD}"))
    assert message.startswith(f"the metadata in {damaged} is damaged (")


def test_a_missing_loader_of_ini_files_is_named(
    ini: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaders, "find_loaders", lambda scheme, protocols: [])
    assert "--no-deps plaster plaster_pastedeploy" in refusal(ini(f"[app:main]\n{PYPICLOUD}"))


@pytest.mark.parametrize("name", ["folder", "folder.ini"])
def test_a_directory_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert "is a directory, not an ini file" in refusal(str(tmp_path / name))
