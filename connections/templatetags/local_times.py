"""Times, alone and within texts, in the server's zone."""

from django import template

from connections.detail_messages import time_text, write_times

register = template.Library()
register.filter("write_times", write_times)
register.filter("time_text", time_text)
