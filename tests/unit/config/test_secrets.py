from __future__ import annotations

from pathlib import Path

from pypicloud_s3sync.config.secrets import secrets_of_ini


def test_references_are_expanded_as_far_as_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_text(
        "[DEFAULT]\nword = from-the-file\nboth = %(word)s%%%(given)s\n[app:main]\n"
        "db.url = redis://:%(both)s@h\nauth.db.url = mysql://u:%(missing)s-rest@h\n"
    )
    found = secrets_of_ini(f"{path}#main", {"given": "from-the-command"})
    assert {"from-the-file%from-the-command", "%(missing)s-rest"} <= set(found)


def test_a_value_may_have_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_text("[app:main]\nstorage.cloud_front_key_string =\n    first-line\n    second-line\nx = y\n")
    assert {"first-line", "second-line"} <= set(secrets_of_ini(str(path), {}))


def test_files_that_the_ini_includes_are_read_too(tmp_path: Path) -> None:
    path, base = tmp_path / "x.ini", tmp_path / "base.ini"
    path.write_text("[app:main]\nuse = config:base.ini#main\n")
    base.write_text("[app:main]\nuse: config:x.ini\ndb.password: of-the-base\n")
    assert secrets_of_ini(str(path), {}) == ["of-the-base"]


def test_a_file_that_cannot_be_read_has_no_secrets(tmp_path: Path) -> None:
    assert secrets_of_ini(str(tmp_path), {}) == []
    assert secrets_of_ini("missing.ini", {"db.password": "given"}) == ["given"]
