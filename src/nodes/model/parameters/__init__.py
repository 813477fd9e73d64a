"""What users give to the nodes of a model, read and checked."""

from __future__ import annotations

from ._change import read_change
from ._conflict import conflict_fields
from ._key import PLAIN, key_decoder, key_filter, key_value, read_key
from ._named import named_fields
from ._options import (
    as_list,
    came,
    choice,
    flag,
    is_mapping,
    maybe_flag,
    single_fields,
    whole_number,
)
from ._tenant import take_tenant
from ._values import as_mapping, changed_values, new_values
from ._version import (
    check_version,
    check_versions,
    read_version,
    take_version,
    version_ports,
)
from ._view import settle, take_view, view_of, view_ports

__all__ = [
    "PLAIN",
    "as_list",
    "as_mapping",
    "came",
    "changed_values",
    "check_version",
    "check_versions",
    "choice",
    "conflict_fields",
    "flag",
    "is_mapping",
    "key_decoder",
    "key_filter",
    "key_value",
    "maybe_flag",
    "named_fields",
    "new_values",
    "read_change",
    "read_key",
    "read_version",
    "settle",
    "single_fields",
    "take_tenant",
    "take_version",
    "take_view",
    "version_ports",
    "view_of",
    "view_ports",
    "whole_number",
]
