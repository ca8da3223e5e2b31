"""What ``compare`` prints for people, and how both commands read their command line."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from pypicloud_s3sync.cli import comparing
from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.cli.text import json_with_items
from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.exceptions import ConflictError
from pypicloud_s3sync.reconcile.models import Reporter
from pypicloud_s3sync.regions.compare import compare
from support.regions import World, add, change_row, drop_row, overwrite

KEY = "ab12/pkg/pkg-1.0.zip"


def worlds(count: int = 2) -> list[World]:
    found = [World(number) for number in range(count)]
    for world in found:
        world.put(KEY, hash_sha256="5a")
        world.sync()
    return found


def shown(compared: Sequence[World]) -> list[str]:
    output = io.StringIO()
    with compare([world.region for world in compared], Reporter()) as comparison:
        comparing.show_comparison(Console(file=output), comparison)
    return output.getvalue().splitlines()


def test_equal_regions_are_a_table_and_a_sentence() -> None:
    header, us, eu, empty, last = shown(worlds())
    assert header.split() == ["region", "bucket", "objects", "rows", "digest"]
    assert us.split()[:4] == ["us-east-1", "packages-0", "1", "1"]
    assert us.split()[4] == eu.split()[4]
    assert (empty, last) == ("", "The regions are equal.")


def test_differences_are_grouped_by_kind_each_with_what_to_do_about_it() -> None:
    compared = worlds()
    add(compared[0], "ab12/new/new-1.0.zip")
    drop_row(compared[1], KEY)
    assert shown(compared)[3:] == [
        "",
        "not_replicated: 1 in another bucket, not in this one",
        "  eu-west-1  new-1.0.zip",
        "  Replication did not copy the file, or its deletion: check it with `ppc-s3sync doctor`,"
        " or set it up with `ppc-s3sync replicate`.",
        "",
        "missing_row: 1 in the bucket, not in the cache",
        "  eu-west-1  pkg-1.0.zip",
        "  Repair the cache with `ppc-s3sync reconcile eu-west-1.ini`.",
        "",
        "The regions differ: 1 not_replicated, 1 missing_row.",
    ]


def test_many_differences_are_a_few_samples_and_a_number() -> None:
    compared = worlds()
    compared[0].bucket.page_size = 1000
    for number in range(1234):
        compared[0].put(f"ab12/new/new-{number}.0.zip")
    compared[0].sync()
    lines = shown(compared)
    assert "not_replicated: 1,234 in another bucket, not in this one" in lines
    assert "  and 1,214 more" in lines
    assert sum(line.startswith("  eu-west-1  new-") for line in lines) == 20


def test_the_regions_of_a_kind_are_all_repaired() -> None:
    compared = worlds()
    for world in compared:
        drop_row(world, KEY)
    remedy = "`ppc-s3sync reconcile us-east-1.ini` and `ppc-s3sync reconcile eu-west-1.ini`"
    assert f"  Repair the cache with {remedy}." in shown(compared)


def test_a_row_that_reconcile_would_not_find_is_repaired_by_its_package() -> None:
    compared = worlds()
    change_row(compared[1], KEY, hash_sha256="5c")
    assert "  Repair the cache with `ppc-s3sync reconcile eu-west-1.ini --package pkg`." in shown(compared)


def test_two_buckets_of_a_region_are_told_apart() -> None:
    compared = worlds()
    overwrite(compared[1], KEY)
    object.__setattr__(compared[1].region, "region", "us-east-1")
    assert "  us-east-1 packages-1  pkg-1.0.zip" in shown(compared)


def test_a_document_with_many_items_is_json_of_the_usual_form() -> None:
    for items in ([], [{"name": "a"}], [{"name": "a\x7f"}, {"name": "é"}]):
        text = "".join(json_with_items({"equal": True, "counts": {"a": 1}}, "differences", items))
        assert json.loads(text) == {"equal": True, "counts": {"a": 1}, "differences": items}
        assert text.isascii()
        assert "\x7f" not in text


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "production.ini"
    path.write_text(
        "[app:main]\nuse = egg:pypicloud\npypi.storage = s3\nstorage.bucket = packages-%(stage)s\n"
        "pypi.db = dynamo\ndb.region_name = eu-west-1\n[DEFAULT]\nstage = test\n"
    )
    return path


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, SyncSettings]]:
    """Collect the configurations with which AWS would be asked."""
    found: list[tuple[str, SyncSettings]] = []

    def wait_for(config: str, settings: SyncSettings, filename: str, timeout: float, report: object) -> None:
        found.append((f"{config} {filename} {timeout:g}", settings))
        raise ConflictError("stop")

    def compare_regions(configurations: Sequence[tuple[str, SyncSettings]], report: object) -> None:
        found.extend(configurations)
        raise ConflictError("stop")

    monkeypatch.setattr("pypicloud_s3sync.deploy.cache.regions.wait_for", wait_for)
    monkeypatch.setattr("pypicloud_s3sync.cli.comparing.compare_regions", compare_regions)
    return found


@pytest.mark.parametrize("order", [["stage=beta", "a-1.zip"], ["a-1.zip", "stage=beta"]])
def test_wait_takes_a_filename_variables_a_name_and_a_region(
    used: list[tuple[str, SyncSettings]], ini: Path, order: list[str]
) -> None:
    ini.write_text(ini.read_text().replace("[DEFAULT]\nstage = test\n", ""))
    assert main(["wait", str(ini), *order, "-n", "sync-2", "-r", "us-east-1", "--timeout", "7"]) == 1
    ((call, settings),) = used
    assert call == f"{ini} a-1.zip 7"
    assert (settings.bucket, settings.function_name) == ("packages-beta", "sync-2")
    assert settings.region == "us-east-1"


def test_compare_takes_configurations_variables_a_name_and_a_region(
    used: list[tuple[str, SyncSettings]], ini: Path
) -> None:
    ini.write_text(ini.read_text().replace("[DEFAULT]\nstage = test\n", ""))
    uris = [f"{ini}?stage=alpha", f"{ini}?stage=beta"]
    assert main(["compare", *uris, "-n", "sync-2", "-r", "us-east-1"]) == 1
    assert [(uri, settings.bucket) for uri, settings in used] == [
        (uris[0], "packages-alpha"),
        (uris[1], "packages-beta"),
    ]
    assert {(settings.function_name, settings.region) for _, settings in used} == {("sync-2", "us-east-1")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "Missing argument"),
        (["compare", "one.ini"], "Expected two or more CONFIG_URIs"),
        (["compare", "one.ini", "a=b"], "Expected two or more CONFIG_URIs"),
        (["compare", "one.ini", "two.ini"], "'one.ini' does not exist"),
        (["wait", "one.ini"], "Missing argument"),
        (["wait", "one.ini", "a=b"], "one.ini"),
        (["wait", "{ini}"], "Missing argument"),
        (["wait", "{ini}", "a-1.0.zip", "b-1.0.zip"], "Expected one FILENAME, got 2"),
        (["wait", "{ini}", "a-1.0.zip", "--timeout", "-1"], "--timeout"),
        (["wait", "{ini}", "a-1.0.zip", "--timeout", "soon"], "--timeout"),
        (["wait", "{ini}", "a-1.0.zip", "--timeout", "nan"], "--timeout"),
        (["wait", "{ini}", "a"], "a is not the filename of a package"),
        (["compare", "{ini}", "{ini}"], "name the same bucket"),
    ],
)
def test_a_wrong_command_line_has_the_exit_status_2(
    arguments: list[str], message: str, ini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(ini=ini) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
