"""Links whose secret is in the fragment ("#"), which browsers do not send, and pages behind them.

So the secret is in no log, no Referer and no preview of a chat program. The page's script submits
the link in a form and removes it from the address; without scripts, people paste it there.
"""

from __future__ import annotations

import hashlib

from django.http import HttpResponse

# The longest pasted link that is read.
LINK_LENGTH = 500


def hash_secret(secret: str) -> str:
    """Return the hash to store of a secret. It is too long to guess, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_of(link: str) -> str:
    """Return the secret of a pasted link, or of what was pasted alone."""
    return link[:LINK_LENGTH].strip().rpartition("#")[2]


def keep_private(response: HttpResponse) -> None:
    """Keep the page of a link out of search engines, and its address from other hosts."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    # Not "no-referrer": browsers would then send our own forms with a null origin, and they would
    # be rejected as another site's. The address has no secret, and other hosts get no Referer.
    response["Referrer-Policy"] = "same-origin"
