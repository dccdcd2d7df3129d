"""Asks WhatsApp's media host how large a file really is, before the Go library downloads it.

The library reads a download into memory without a limit, and the size in a message is only what
its sender says. A host process that runs out of memory ends the links of all its organizations.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import time
from typing import Any
from urllib import error, request

from connections.worker.child import ca_bundle

MEDIA_HOST = "https://mmg.whatsapp.net"
ORIGIN = "https://web.whatsapp.com"
SECONDS, READ_SECONDS = 15.0, 60.0
CHUNK_BYTES = 64 * 1024
# The host's files are encrypted: they end with up to 16 bytes of padding and 10 of a checksum.
OVERHEAD_BYTES = 26
# Python cannot use these; there the size in the message counts.
UNUSABLE_PROXIES = ("socks",)


class MediaGone(Exception):
    """The host does not have the file any more."""


class _RefuseRedirects(request.HTTPRedirectHandler):
    """Makes a redirect an error: the path of a file comes from a stranger."""

    def redirect_request(self, *_: Any) -> None:
        return None


def real_size(part: Any, media_type: str, limit: int) -> int | None:
    """Return about how many bytes a message's media has; None if that cannot be asked.

    `part`: the media message. `limit`: above it, the number may be too small, but not below it.
    Raises MediaGone, OSError.
    """
    if not part.directPath.startswith("/"):
        raise OSError("this is no path on the media host")
    if request.getproxies().get("https", "").startswith(UNUSABLE_PROXIES):
        return None
    checksum = base64.urlsafe_b64encode(part.fileEncSHA256).decode()
    url = f"{MEDIA_HOST}{part.directPath}&hash={checksum}&mms-type={media_type}&__wa-mms="
    asked = request.Request(url, headers={"Origin": ORIGIN, "Referer": f"{ORIGIN}/"})
    opener = request.build_opener(
        request.HTTPSHandler(context=_trusted_roots()), _RefuseRedirects()
    )
    try:
        with opener.open(asked, timeout=SECONDS) as answer:
            return max(0, length_of(answer, limit + OVERHEAD_BYTES) - OVERHEAD_BYTES)
    except error.HTTPError as failure:
        failure.close()
        if failure.code in (403, 404, 410):
            raise MediaGone from None
        raise
    except http.client.HTTPException as failure:
        raise OSError("the media host's answer cannot be read") from failure


def length_of(answer: Any, limit: int) -> int:
    """Return the length of an HTTP answer; of one that does not say it, by reading up to `limit`.

    Raises OSError.
    """
    if (length := answer.headers.get("Content-Length", "")).isdecimal():
        return int(length)
    deadline = time.monotonic() + READ_SECONDS
    read = 0
    while read <= limit and (chunk := answer.read(CHUNK_BYTES)):
        read += len(chunk)
        if time.monotonic() > deadline:
            raise OSError("the media host is too slow")
    return read


def _trusted_roots() -> ssl.SSLContext:
    """Return a context with the same roots as Go: hosts have no folder of roots (ca_bundle.py)."""
    bundle = next((str(path) for path in ca_bundle.BUNDLES if path.is_file()), None)
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or bundle)
