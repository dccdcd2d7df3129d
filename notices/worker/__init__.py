"""Plans and sends notices: a duty that workers share."""

from notices.worker.duty import NoticeDuty

__all__ = ["NoticeDuty"]
