"""Define the ``settings`` directive, which describes ``s3sync.*`` settings from the software's own table.

Its content lists names of settings without the prefix, one per line. The option ``:rest:`` adds all settings
that the page has not described yet, so that a new setting is never missing.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, cast

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pypicloud_s3sync.config.options import OPTIONS, PREFIX, Option

#: No option accepts this value, so each raises an error that says what it expects.
IMPOSSIBLE = "\0"


class Settings(SphinxDirective):
    """Describe settings: the meaning, the allowed values, the default and the environment variable."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"rest": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return a ``confval`` for each setting."""
        by_name = {option.name: option for option in OPTIONS}
        described = cast("set[str]", self.env.temp_data.setdefault("settings_reference", set()))
        names = [line.strip() for line in self.content if line.strip()]
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise self.error(f"no such setting: {', '.join(unknown)}")
        if "rest" in self.options:
            names += [name for name in by_name if name not in described | set(names)]
        described.update(names)
        # The page is Markdown, but Sphinx's confval directive needs reStructuredText here.
        text = "\n".join(confval(by_name[name]) for name in names)
        return self.parse_text_to_nodes(f"```{{eval-rst}}\n{text}\n```\n")


def confval(option: Option) -> str:
    """Return the description of one setting in reStructuredText."""
    name = PREFIX + option.name
    expected = accepted_by(option)
    lines = [
        f".. confval:: {name}",
        "",
        f"   {_literals(option.help)}",
        "",
        *([f"   :Accepts: {expected}"] if expected else []),
        *([f"   :Default: ``{option.default}``"] if option.default not in (None, (), {}) else []),
        f"   :Environment variable: ``PPC_{name.upper().replace('.', '_')}``",
        "",
    ]
    return "\n".join(lines)


def accepted_by(option: Option) -> str:
    """Return what an option accepts, as its own error message says; empty if it accepts any text."""
    try:
        option.convert(IMPOSSIBLE)
    except ValueError as error:
        return re.sub("'([^']+)'", r"``\1``", str(error))
    return ""


def _literals(markdown: str) -> str:
    return markdown.replace("`", "``")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
