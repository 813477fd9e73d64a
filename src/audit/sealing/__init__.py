"""Sealing: personal values are recorded so that they can be erased.

Each person has a key, which seals what is personal in the records of its rows. To erase
the person is to delete the key: the records, and all hashes of them, stay as they are.
"""

from __future__ import annotations

from ._keys import SubjectKeys
from ._masters import KeyProvider, KeyRing, MasterKeys, check_extra
from ._seal import seal
from ._subjects import subject_name
from ._unseal import unsealed

__all__ = [
    "KeyProvider",
    "KeyRing",
    "MasterKeys",
    "SubjectKeys",
    "check_extra",
    "seal",
    "subject_name",
    "unsealed",
]
