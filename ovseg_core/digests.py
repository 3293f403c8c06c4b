"""SHA-256 digests of what results depend on: files of weights, and our own code."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ovseg_core import environment

PACKAGE = Path(__file__).parent


def of_weights(weights: Path) -> str:
    """Return the digest of a file of weights, or of all files in a folder of weights."""
    if weights.is_dir():
        files = (f"{path.name} {_of_file(path)}" for path in sorted(weights.iterdir()) if path.is_file())
        return hashlib.sha256(" ".join(files).encode()).hexdigest()
    return _of_file(weights)


def of_code(*modules: str) -> str:
    """Return the digest of these modules of `ovseg_core` and of all its modules that they import, directly or not.

    Imports inside functions count, and so do the data files of a package. Therefore no list of what a result depends on
    has to be maintained.
    """
    files = (
        f"{path.relative_to(PACKAGE)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sources(*modules)
    )
    return hashlib.sha256(" ".join(files).encode()).hexdigest()


def sources(*modules: str) -> list[Path]:
    """Return the files that `of_code` reads. Raises ValueError if a name is not a module of `ovseg_core`."""
    if missing := [module for module in modules if _source(module) is None]:
        raise ValueError(f"there is no module {', '.join(missing)} in {PACKAGE.name}")
    found: set[Path] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        path = _source(name)
        if path is not None and path not in found:
            found |= {path, *_data(path)}
            pending += [name.rpartition(".")[0], *_imported(path)]
    return sorted(found)


def _source(module: str) -> Path | None:
    """Return the file of a module of this package, or None for other modules and names.

    None also for the package itself, whose `__init__.py` imports nothing when it is loaded.
    """
    top, _, rest = module.partition(".")
    if top != PACKAGE.name or not rest:
        return None
    path = PACKAGE.joinpath(*rest.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _data(module: Path) -> Iterator[Path]:
    """Yield the files in the folder of a package, and in the folders below, that are not code."""
    if module.name == "__init__.py":
        yield from (path for path in module.parent.rglob("*") if path.is_file() and not path.suffix.startswith(".py"))


def _imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports: modules, and the names that it imports from modules."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _of_file(path: Path) -> str:
    """Return the digest of a file. It is cached until the file changes, because reading SAM-H takes seconds."""
    stat = path.stat()
    identity = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    cached = environment.engines_dir() / "digests" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    if cached.is_file():
        return cached.read_text()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        part = cached.with_suffix(f".{os.getpid()}")
        part.write_text(digest)
        part.rename(cached)
    except OSError:
        pass  # the cache cannot be written; the file will be read again next time
    return digest
