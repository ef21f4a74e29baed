"""Ladders: one small story each, told in full by a golden file of the same name. The list of files is the
check-list."""
