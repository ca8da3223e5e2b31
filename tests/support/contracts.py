"""An import-linter contract: what ships in the Lambda bundle imports nothing else of the package.

The contract reads the list from which the bundle is built, so the two cannot differ.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output

from pypicloud_s3sync.deploy.bundle.contents import is_own_module_wanted

PACKAGE = "pypicloud_s3sync"


class BundleContract(Contract):
    """Every import inside the package by a module of the bundle leads to a module of the bundle."""

    type_name = "bundle"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find the imports that lead out of the bundle."""
        leaks = [
            f"{module} imports {imported}"
            for module in sorted(graph.modules)
            if _is_bundled(module)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.split(".")[0] == PACKAGE and not _is_bundled(imported)
        ]
        return ContractCheck(kept=not leaks, metadata={"leaks": leaks})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that lead out of the bundle."""
        for leak in check.metadata["leaks"]:
            output.print_error(f"{leak}, which does not ship")


def _is_bundled(module: str) -> bool:
    package, _, name = module.partition(".")
    return package == PACKAGE and is_own_module_wanted(name or "__init__")
