"""How long WhatsApp's linking codes are valid.

WhatsApp gives a connection some QR codes at once, six as a rule, and whatsmeow shows one after the
other: for 60 s the one with which six are left, for 20 s each other. The connection ends with the
last of them, and with it a code that is typed on the phone (whatsmeow's qrchan.go, pair-code.go).
"""

FULL_SET = 6
FIRST_OF_SET_SECONDS, CODE_SECONDS = 60, 20


def qr_code_seconds(number: int, count: int) -> int:
    """Return how long QR code `number` of `count` is shown."""
    return FIRST_OF_SET_SECONDS if count - number + 1 == FULL_SET else CODE_SECONDS


def seconds_to_the_last(number: int, count: int) -> int:
    """Return how long the connection lasts from the moment that code `number` is shown."""
    return sum(qr_code_seconds(one, count) for one in range(number, count + 1))
