"""The tests of belswitch; the folders mirror the sources."""
