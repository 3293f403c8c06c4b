"""The fonts of the pictures for the documentation: Noto Sans, also for Chinese, whatever this machine has."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
CONFIG = """<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  {folders}
  <match target="pattern">
    <test name="family"><string>sans-serif</string></test>
    <edit name="family" mode="prepend" binding="strong">
      <string>Noto Sans</string><string>Noto Sans CJK SC</string>
    </edit>
  </match>
</fontconfig>
"""


def use(folder: Path) -> None:
    """Make the browsers that start from now on write with these fonts. `folder` keeps the configuration meanwhile."""
    folders = "".join(f"<dir>{resources.files(package)}</dir>" for package in PACKAGES)
    (folder / "fonts.conf").write_text(CONFIG.format(folders=folders))
    os.environ["FONTCONFIG_FILE"] = str(folder / "fonts.conf")
