"""Skip tests that need root: becoming another user, or mounting another file system."""

from __future__ import annotations

import os
import subprocess

import pytest


def require_root() -> None:
    if os.getuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("CI must run this as root: only root can become another user")
        pytest.skip("only root can become another user")


def require_own_mounts() -> None:
    require_root()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this container may not mount file systems")
