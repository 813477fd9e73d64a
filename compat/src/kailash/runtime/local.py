"""Stands for `kailash.runtime.local`."""

from __future__ import annotations

from dataflow import LocalRuntime

__all__ = ["LocalRuntime"]
