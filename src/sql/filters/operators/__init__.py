"""What may be asked of a field: tables of operators, and how each is written."""

from __future__ import annotations

from ._collated import COLLATED
from ._list import COUNT, LIST_OPERATORS, MAX_MEMBERS, element_of, spelled_out
from ._match import MATCHES
from ._operand import checked, is_mapping, listed, type_name, unknown_operator
from ._operators import (
    BOUND,
    FIELD_OPERATORS,
    MAX_BOUND_VALUES,
    MAX_VALUES,
    compare_fields,
    equal,
)
from ._quantifier import QUANTIFIERS, is_quantified, nothing_related, relation_at
from ._regex import MAX_CHOICES, MAX_PATTERN_LENGTH, in_re2
from ._route import Route, read_route, route
from ._text import regex_with_options

__all__ = [
    "BOUND",
    "COLLATED",
    "COUNT",
    "FIELD_OPERATORS",
    "LIST_OPERATORS",
    "MATCHES",
    "MAX_BOUND_VALUES",
    "MAX_CHOICES",
    "MAX_MEMBERS",
    "MAX_PATTERN_LENGTH",
    "MAX_VALUES",
    "QUANTIFIERS",
    "Route",
    "checked",
    "compare_fields",
    "element_of",
    "equal",
    "in_re2",
    "is_mapping",
    "is_quantified",
    "listed",
    "nothing_related",
    "read_route",
    "regex_with_options",
    "relation_at",
    "route",
    "spelled_out",
    "type_name",
    "unknown_operator",
]
