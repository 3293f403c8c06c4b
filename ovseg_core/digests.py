"""SHA-256 of what results depend on: files of weights, and our own code."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ovseg_core import environment

PACKAGE = Path(__file__).parent


def of_weights(weights: Path) -> str:
    """Of a file, or of all files in a folder."""
    if weights.is_dir():
        each = (f"{path.name} {_of_file(path)}" for path in sorted(weights.iterdir()) if path.is_file())
        return hashlib.sha256(" ".join(each).encode()).hexdigest()
    return _of_file(weights)


def of_code(*modules: str) -> str:
    """Of these modules of `ovseg_core`, and of all others of it that they import, directly or not.

    Imports inside functions count, and so do the data files of a package. So nobody has to keep a list of what a result
    depends on.
    """
    each = (
        f"{path.relative_to(PACKAGE)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sources(*modules)
    )
    return hashlib.sha256(" ".join(each).encode()).hexdigest()


def sources(*modules: str) -> list[Path]:
    """The files that `of_code` reads. Raises ValueError for a name that is no module of `ovseg_core`."""
    if missing := [module for module in modules if _source(module) is None]:
        raise ValueError(f"there is no module {', '.join(missing)} in {PACKAGE.name}")
    found: set[Path] = set()
    wanted = list(modules)
    while wanted:
        name = wanted.pop()
        path = _source(name)
        if path is not None and path not in found:
            found |= {path, *_data(path)}
            wanted += [name.rpartition(".")[0], *_imported(path)]
    return sorted(found)


def _source(module: str) -> Path | None:
    """None for what is no module of this package, and for the package itself: it imports nothing by itself."""
    top, _, rest = module.partition(".")
    if top != PACKAGE.name or not rest:
        return None
    path = PACKAGE.joinpath(*rest.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _data(module: Path) -> Iterator[Path]:
    """The files beside and below a package's `__init__.py` that are no code."""
    if module.name == "__init__.py":
        yield from (path for path in module.parent.rglob("*") if path.is_file() and not path.suffix.startswith(".py"))


def _imported(path: Path) -> Iterator[str]:
    """The names of what a file imports, modules and names in modules alike."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _of_file(path: Path) -> str:
    """Remembered as long as the file is not written to: to read SAM-H takes seconds."""
    stat = path.stat()
    identity = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    note = environment.engines_dir() / "digests" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    if note.is_file():
        return note.read_text()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        part = note.with_suffix(f".{os.getpid()}")
        part.write_text(digest)
        part.rename(note)
    except OSError:
        pass  # nothing can be written there; it is read again next time
    return digest
