"""The lifetimes of WhatsApp's linking codes.

WhatsApp gives a connection several QR codes at once, usually six. whatsmeow shows them one after
the other: the one that five others follow for 60 s, each other for 20 s. The connection ends
with the last one, and with it a code that is typed on the phone (qrchan.go, pair-code.go).
"""

FULL_SET = 6
FIRST_OF_SET_SECONDS, CODE_SECONDS = 60, 20


def qr_code_seconds(number: int, count: int) -> int:
    """Return how long QR code `number` of `count` is shown."""
    return FIRST_OF_SET_SECONDS if count - number + 1 == FULL_SET else CODE_SECONDS


def seconds_to_the_last(number: int, count: int) -> int:
    """Return how long the connection lasts from the moment that code `number` is shown."""
    return sum(qr_code_seconds(each, count) for each in range(number, count + 1))
