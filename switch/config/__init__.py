"""Configuration files to frozen values: loader, models, lines to import, and where keys stand in a file."""
