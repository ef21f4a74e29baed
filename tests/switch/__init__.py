"""Tests of the switch."""
