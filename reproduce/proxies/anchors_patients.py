"""Rules for single rows of the breast cancer table."""

from __future__ import annotations

from typing import Any

from proxies._anchors_rows import spread_over_networks


def table() -> dict[str, Any]:
    """Return the spread over networks and the differences in pairs."""
    return spread_over_networks("breast_cancer")
