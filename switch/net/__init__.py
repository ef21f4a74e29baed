"""The shell: sockets, clocks, processes and files around the core. asyncio lives here, and only here."""
