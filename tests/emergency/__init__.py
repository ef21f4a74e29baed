"""Tests of the emergency package."""
