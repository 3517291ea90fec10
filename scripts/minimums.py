"""Print the lowest versions that pyproject.toml allows, one `name==version` a line, for `make minimums`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

DEPENDENCY = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for dependency in project["dependencies"]:
    found = DEPENDENCY.match(dependency)
    assert found, dependency
    print(f"{found[1]}=={found[2]}")
