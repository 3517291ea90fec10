"""What everything that people write has in common; apart, because most of what reads it needs no prompt's model."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

ID_PATTERN = r"^[a-z0-9][a-z0-9-]*$"


class Written(BaseModel):
    """What people write: unknown keys are problems, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def fraction(value: Any) -> Any:
    """Read `20%` as 0.2; numbers stay numbers, and neither true nor `inf%` is one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        share = value.strip().endswith("%")
        try:
            read = float(value.strip().removesuffix("%")) / (100 if share else 1)
        except ValueError:
            return value
        # Pydantic would take the text `inf` for a number.
        return read if math.isfinite(read) else "not finite"
    return value


Fraction = Annotated[float, BeforeValidator(fraction)]
