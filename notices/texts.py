"""What a notice says, in the active language and time zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from connections.lifecycle import Reason
from connections.live.outages import OUTAGES, advice_on
from connections.reason_texts import REASON_TEXTS
from notices.actions.troubles import CONNECTION
from notices.links import absolute, confirm_url
from notices.models import Address, Notice, Trouble

LISTED = 100
"""So many organizations are named in one notice; the others are counted."""

BACK_BY_ITSELF = _("It comes back by itself when this is over.")

Clean = Callable[[str], str]


@dataclass(frozen=True)
class Item:
    """One organization in a notice. `name`: "" for the installation."""

    name: str
    sentence: str
    since: str
    url: str


@dataclass(frozen=True)
class Text:
    """A notice in words. `intro` and `step`: "" where the items say enough.

    `button`: the text of the link to `url`; `tone`: bad, warn, good or busy. `left`: how many
    organizations are not named.
    """

    subject: str
    heading: str
    intro: str
    items: tuple[Item, ...]
    step: str
    button: str
    url: str
    tone: str
    left: int = 0

    @property
    def more(self) -> str:
        """How many others there are, in the active language; "" for none."""
        if not self.left:
            return ""
        more = ngettext("and {count} more", "and {count} more", self.left)
        return more.format(count=self.left)


def text_of(notice: Notice, troubles: Sequence[Trouble], clean: Clean) -> Text:
    """Return what a notice says. `clean`: how it writes names."""
    if notice.kind == Notice.Kind.TEST:
        return _test()
    if notice.kind == Notice.Kind.CONFIRM:
        assert notice.address is not None
        return _confirmation(notice.address)
    if notice.kind == Notice.Kind.RECOVERY:
        return _recovery(notice, troubles, clean)
    administrator = notice.user.is_superuser
    if notice.cause and len(troubles) > 1:
        return _outage(Reason(notice.cause), troubles, clean, administrator)
    if len(troubles) == 1:
        return _one(troubles[0], clean, administrator)
    return _many(troubles, clean)


def _one(trouble: Trouble, clean: Clean, administrator: bool) -> Text:
    item, step = _item(trouble, clean), next_step_of(trouble)
    action = trouble.level == Trouble.Level.ACTION
    if trouble.kind != CONNECTION:
        heading = item.sentence
    elif action:
        what = gettext("WhatsApp is disconnected: {why}")
        heading = what.format(why=_within_a_sentence(item.sentence))
    else:
        what = gettext("WhatsApp has been away for a while: {why}")
        heading = what.format(why=_within_a_sentence(item.sentence))
        if trouble.reason in OUTAGES:
            step = f"{gettext(BACK_BY_ITSELF)} {advice_on(Reason(trouble.reason), administrator)}"
    return Text(
        subject=_about(item.name, heading.rstrip(".")),
        heading=heading,
        intro="",
        items=(item,),
        step=step,
        button=gettext("Open the page"),
        url=item.url,
        tone="bad" if action else "warn",
    )


def _many(troubles: Sequence[Trouble], clean: Clean) -> Text:
    count = len({trouble.organization_id for trouble in troubles})
    heading = ngettext(
        "{count} organization is in trouble", "{count} organizations are in trouble", count
    ).format(count=count)
    if all(_needs_phone(trouble) for trouble in troubles):
        heading = ngettext(
            "WhatsApp is disconnected in {count} organization",
            "WhatsApp is disconnected in {count} organizations",
            count,
        ).format(count=count)
    return _list(
        troubles,
        clean,
        heading,
        step=gettext("Open each of them to see what helps."),
        tone="bad",
    )


def _outage(cause: Reason, troubles: Sequence[Trouble], clean: Clean, administrator: bool) -> Text:
    sentence, count = REASON_TEXTS[cause].sentence, len(troubles)
    waiting = ngettext("{count} organization waits", "{count} organizations wait", count)
    heading = f"{sentence.rstrip('.')}: {waiting.format(count=count)}"
    intro = gettext("They come back by themselves when it is over. You are told then.")
    step = advice_on(cause, administrator)
    found = _list(troubles, clean, heading, step=step, tone="warn", intro=intro)
    # The heading says it for all.
    return replace(found, items=tuple(replace(item, sentence="") for item in found.items))


def _recovery(notice: Notice, troubles: Sequence[Trouble], clean: Clean) -> Text:
    if len(troubles) == 1:
        item = _item(troubles[0], clean)
        heading = _end_of(troubles[0])
        back = Item(item.name, "", _back_since(troubles[0]), item.url)
        return Text(
            subject=_about(item.name, heading.rstrip(".")),
            heading=heading,
            intro="",
            items=(back,),
            step=gettext("Nothing to do."),
            button=gettext("Open the page"),
            url=item.url,
            tone="good",
        )
    count = len({trouble.organization_id for trouble in troubles})
    heading = ngettext(
        "Troubles in {count} organization are over",
        "Troubles in {count} organizations are over",
        count,
    ).format(count=count)
    connections = all(trouble.kind == CONNECTION for trouble in troubles)
    if connections:
        heading = ngettext(
            "WhatsApp is connected again in {count} organization",
            "WhatsApp is connected again in {count} organizations",
            count,
        ).format(count=count)
    found = _list(troubles, clean, heading, step=gettext("Nothing to do."), tone="good")
    items = tuple(
        # Where the heading says it for all, they do not repeat it.
        replace(item, sentence="" if connections else _end_of(trouble), since=_back_since(trouble))
        for item, trouble in zip(found.items, troubles, strict=False)
    )
    return replace(found, items=items)


def _list(
    troubles: Sequence[Trouble],
    clean: Clean,
    heading: str,
    *,
    step: str,
    tone: str,
    intro: str = "",
) -> Text:
    return Text(
        subject=heading,
        heading=heading,
        intro=intro,
        items=tuple(_item(trouble, clean) for trouble in troubles[:LISTED]),
        step=step,
        button=gettext("Open the overview"),
        url=absolute(reverse("fleet")),
        tone=tone,
        left=max(0, len(troubles) - LISTED),
    )


def _test() -> Text:
    return Text(
        subject=gettext("A test of notices from WhatsApp Orgs"),
        heading=gettext("This is a test"),
        intro=gettext("Notices reach this address. Nothing is wrong."),
        items=(),
        step="",
        button=gettext("Open my notices"),
        url=absolute(reverse("my_notices")),
        tone="good",
    )


def _confirmation(address: Address) -> Text:
    return Text(
        subject=gettext("Confirm this address for notices from WhatsApp Orgs"),
        heading=gettext("Shall notices come here?"),
        intro=gettext(
            "{user} wants to be told here when WhatsApp is disconnected. Nothing is sent before "
            "this is confirmed. If you did not expect this, do nothing."
        ).format(user=address.user.get_username()),
        items=(),
        step="",
        button=gettext("Confirm this address"),
        url=confirm_url(address),
        tone="busy",
    )


def _item(trouble: Trouble, clean: Clean) -> Item:
    name = clean(trouble.organization.name) if trouble.organization else ""
    since = gettext("since {time}").format(time=_time(trouble.began_at))
    return Item(name, sentence_of(trouble), since, absolute(path_of(trouble)))


def sentence_of(trouble: Trouble) -> str:
    """Return what does not work, in the active language."""
    if trouble.kind == CONNECTION:
        return REASON_TEXTS[Reason(trouble.reason)].sentence
    return gettext(trouble.sentence).format_map(trouble.values)


def _end_of(trouble: Trouble) -> str:
    """Return that it works again, in the active language."""
    if trouble.kind == CONNECTION:
        return gettext("WhatsApp is connected again")
    return gettext("This is over: {what}").format(what=sentence_of(trouble))


def next_step_of(trouble: Trouble) -> str:
    """Return what helps, in the active language."""
    if trouble.kind == CONNECTION:
        return REASON_TEXTS[Reason(trouble.reason)].next_step
    return gettext(trouble.next_step).format_map(trouble.values)


def path_of(trouble: Trouble) -> str:
    """Return the path of the page that helps."""
    if trouble.path:
        return trouble.path
    return reverse("admin:connections_connection_change", args=[trouble.organization_id])


def _needs_phone(trouble: Trouble) -> bool:
    return trouble.kind == CONNECTION and trouble.level == Trouble.Level.ACTION


def _back_since(trouble: Trouble) -> str:
    assert trouble.ended_at is not None
    return gettext("since {time}").format(time=_time(trouble.ended_at))


def _time(moment: object) -> str:
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT")  # type: ignore[arg-type]


def _about(name: str, what: str) -> str:
    return f"[{name}] {what}" if name else what


def _within_a_sentence(sentence: str) -> str:
    """Return a sentence as it follows a colon: "The phone …" becomes "the phone …"."""
    word = sentence.split(" ", 1)[0]
    return sentence if word[1:] != word[1:].lower() else sentence[:1].lower() + sentence[1:]
