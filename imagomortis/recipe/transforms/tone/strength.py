"""Types of the parameters that say how much a transform changes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagomortis.recipe.transforms.step import slider

Amount = Annotated[float, Field(ge=-1, le=1, json_schema_extra=slider(-1, 1, 0.02))]
"""How much is added, or taken away below 0; 0 changes nothing."""

Factor = Annotated[float, Field(ge=0, le=5, title="Strength", json_schema_extra=slider(0, 2, 0.02))]
"""What something is multiplied by; 1 changes nothing."""
