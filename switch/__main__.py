"""`python -m switch` and the `belswitch` command; everything is in `switch.cli`."""

from __future__ import annotations

from switch.cli import main

if __name__ == "__main__":
    main()
