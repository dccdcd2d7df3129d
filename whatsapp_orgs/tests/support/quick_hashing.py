"""The password hasher of tests: a hash of the product takes a core for some tenths of a second."""

from __future__ import annotations

from whatsapp_orgs.login.password_hashing import BoundedPBKDF2PasswordHasher


class QuickPasswordHasher(BoundedPBKDF2PasswordHasher):
    """The product's hasher with a single iteration."""

    iterations = 1
