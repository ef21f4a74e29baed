"""TLS for peers that have none: takes connections on one side in the clear, on the other over TLS.

`python -m tests.bench.tls_pump (accept|connect) HOST PORT TO_HOST TO_PORT FILE...`: with `accept` it takes
TLS, with certificate and key, and passes on in the clear; with `connect` the other way round, trusting the
authority in FILE.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(262_144):
            writer.write(data)
            await writer.drain()
    writer.close()


async def pump(way: str, listen: tuple[str, int], target: tuple[str, int], files: list[str]) -> None:
    """Until it is ended."""
    context: ssl.SSLContext
    if way == "accept":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    else:
        context = ssl.create_default_context(cafile=files[0])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secured = context if way == "connect" else None
        there, back = await asyncio.open_connection(*target, ssl=secured)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    server = await asyncio.start_server(serve, *listen, ssl=context if way == "accept" else None)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    kind, host, port, to_host, to_port, *names = sys.argv[1:]
    asyncio.run(pump(kind, (host, int(port)), (to_host, int(to_port)), names))
