"""Forward loopback ports from one network namespace to another by Unix sockets.

python -m tests.support.forward outside FOLDER PORT…    from the sockets to the ports here
python -m tests.support.forward inside FOLDER PORT…     from the ports here to the sockets
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def forward(
    dial: Callable[[], Awaitable[Stream]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Copy data in both directions until either side closes."""
    try:
        far_reader, far_writer = await dial()
    except OSError:
        writer.close()
        return

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


async def main(side: str, folder: Path, ports: list[int]) -> None:
    """Forward until the process ends."""
    for port in ports:
        path = folder / f"{port}.socket"
        if side == "outside":
            dial = partial(asyncio.open_connection, "127.0.0.1", port)
            await asyncio.start_unix_server(partial(forward, dial), path)
        else:
            through = partial(asyncio.open_unix_connection, path)
            await asyncio.start_server(partial(forward, through), "127.0.0.1", port)
    (folder / f"{side}.ready").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
