"""Configure Sphinx. The build needs no network."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

from pypicloud_s3sync import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pypicloud-s3sync"
author = "The pypicloud-s3sync developers"
project_copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "drawings",
    "settings_reference",
]

exclude_patterns = ["_build"]
# Keep straight quotes: readers type or search for much of the quoted text.
smartquotes = False
myst_enable_extensions = ["colon_fence", "deflist"]
# Create anchors for headings down to the third level, as GitHub does.
myst_heading_anchors = 3

html_theme = "furo"
html_title = "pypicloud-s3sync"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_theme_options = {
    "source_repository": "https://github.com/pypicloud-s3sync/pypicloud-s3sync/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_show_sphinx = False

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = False
# Types in docstrings are prose ("callable, optional"); the annotations are the links.
napoleon_use_param = False
napoleon_use_rtype = False

# Without a network, there are no pages of other projects to link to.
nitpick_ignore_regex = [
    ("py:.*", r"(boto3|botocore|collections|datetime|enum|pathlib|pypicloud|pyramid|typing)\..*"),
]


def setup(app: Sphinx) -> None:
    """Read the generated pages in each build, because Sphinx does not notice changes of the code."""
    app.connect("env-get-outdated", lambda *_: ["command-line", "settings"])
