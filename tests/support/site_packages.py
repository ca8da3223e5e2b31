"""A directory on the module path into which tests install distributions of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest


class SitePackages:
    """An additional ``site-packages`` directory.

    Parameters
    ----------
    path : Path
        The directory to create.
    monkeypatch : pytest.MonkeyPatch
        Puts the directory on the module path.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.mkdir()
        monkeypatch.syspath_prepend(str(path))
        self.path = path

    def install(
        self,
        name: str,
        files: Mapping[str, str] | None = None,
        *,
        tag: str = "py3-none-any",
        record: str | None = "",
        requires: Sequence[str] = (),
        direct_url: str | None = None,
    ) -> None:
        """Install version 1.0 of a distribution.

        Parameters
        ----------
        name : str
        files : dict, optional
            Contents by path.
        tag : str
            The tag of the wheel that the distribution came from.
        record : str or None
            Lines to add to RECORD; None for no RECORD at all.
        requires : sequence of str
            The distribution's requirements.
        direct_url : str, optional
            The contents of ``direct_url.json``.
        """
        info = f"{name}-1.0.dist-info"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
        lines += [f"Requires-Dist: {requirement}" for requirement in requires]
        written = {f"{info}/METADATA": "\n".join(lines), f"{info}/WHEEL": f"Tag: {tag}\n", **(files or {})}
        if direct_url is not None:
            written[f"{info}/direct_url.json"] = direct_url
        if record is not None:
            listed = io.StringIO()
            csv.writer(listed, lineterminator="\n").writerows([path, "", ""] for path in written)
            written[f"{info}/RECORD"] = listed.getvalue() + record
        for path, text in written.items():
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).write_text(text)
