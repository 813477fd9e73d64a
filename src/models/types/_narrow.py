"""Checks of values for columns that hold less than their kind does.

Rules of this file: those of `_check`; what PostgreSQL would refuse is refused here,
and what it would change comes back changed, so that a reply holds what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from struct import Struct
from typing import Any, Final

from ._check import Check, check_float, check_int, check_str
from ._mismatch import MismatchError

__all__ = [
    "check_cidr",
    "check_float_digits",
    "check_inet",
    "check_integer",
    "check_macaddr",
    "check_macaddr8",
    "check_real",
    "check_smallint",
]

_FLOAT_DIGITS: Final = 15
_SEPARATORS: Final = re.compile(r"[:.-]")
_SHORT, _LONG = 12, 16  # hexadecimal digits of a hardware address
_HEX: Final = re.compile(r"[0-9a-f]+")
_SINGLE: Final = Struct("<f")  # native, it would make infinity


def _within(bits: int) -> Check:
    """Return the check for an int of so many bits, the sign among them."""
    most = 2 ** (bits - 1) - 1
    expected = f"int ({bits} bits)"

    def check(value: object) -> int:
        number = check_int(value)
        if not -most - 1 <= number <= most:
            came = f"an int beyond {bits} bits"
            raise MismatchError(came, expected)
        return number

    return check


check_smallint: Final = _within(16)
check_integer: Final = _within(32)
"""Source: PostgreSQL, Numeric Types, for both."""


def check_real(value: object) -> float:
    """Check for a float that single precision reaches, and round it to that."""
    number = check_float(value)
    try:
        single: float = _SINGLE.unpack(_SINGLE.pack(number))[0]
    except OverflowError:
        came = "a float beyond single precision"
        raise MismatchError(came, "float (single precision)") from None
    return single


def check_float_digits(check: Callable[[Any], Decimal]) -> Check:
    """Return *check* for Decimals that SQLite keeps as floats: 15 digits are exact.

    Source: sqlite.org/datatype3.html, section 3, affinity NUMERIC.
    """

    def check_digits(value: object) -> Decimal:
        number = check(value)
        if len(number.normalize().as_tuple().digits) > _FLOAT_DIGITS:
            came = "a Decimal with more digits"
            expected = f"Decimal ({_FLOAT_DIGITS} digits, more are lost in this column)"
            raise MismatchError(came, expected)
        return number

    return check_digits


def check_inet(value: object) -> str:
    """Check for the text of an address, with or without the bits of its network."""
    from ipaddress import ip_interface  # noqa: PLC0415  # 3 ms, for few models

    text = check_str(value)
    try:
        interface = ip_interface(text)
    except ValueError:
        came = "another str"
        raise MismatchError(came, "str (an IP address)") from None
    is_host = interface.network.prefixlen == interface.max_prefixlen
    return str(interface.ip) if is_host else str(interface)


def check_cidr(value: object) -> str:
    """Check for the text of a network, such as ``10.0.0.0/8``."""
    from ipaddress import ip_network  # noqa: PLC0415  # 3 ms, for few models

    text = check_str(value)
    try:
        return str(ip_network(text))
    except ValueError:
        came = "another str"
        raise MismatchError(came, "str (an IP network)") from None


def check_macaddr(value: object) -> str:
    """Check for the text of a MAC address, in any of the usual forms."""
    return _hardware_address(value, _SHORT)


def check_macaddr8(value: object) -> str:
    """Check for the text of an EUI-64; a MAC address becomes one, as PostgreSQL does."""
    return _hardware_address(value, _LONG)


def _hardware_address(value: object, size: int) -> str:
    digits = _SEPARATORS.sub("", check_str(value).lower())
    if size == _LONG and len(digits) == _SHORT:
        # Source: PostgreSQL, Network Address Types, `macaddr8`.
        digits = f"{digits[:6]}fffe{digits[6:]}"
    if len(digits) != size or _HEX.fullmatch(digits) is None:
        came = "another str"
        raise MismatchError(came, f"str (an address of {size // 2} bytes)")
    return ":".join(digits[at : at + 2] for at in range(0, size, 2))
