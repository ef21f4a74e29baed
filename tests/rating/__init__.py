"""Tests of the rating package."""

from __future__ import annotations
