"""Define the ``drawing`` directive, which embeds an SVG in the page, so that it uses the page's colors."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Drawing(SphinxDirective):
    """Show an SVG file, with the content as its caption; the file contains its own alternative text."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a figure with the SVG as raw HTML."""
        relative, absolute = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        svg = Path(absolute).read_text(encoding="utf-8")
        svg = svg[svg.index("<svg") :]
        figure = nodes.figure(classes=["drawing"])
        figure += nodes.raw("", svg, format="html")
        for part in self.parse_content_to_nodes():
            figure += nodes.caption("", "", *part.children)
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
