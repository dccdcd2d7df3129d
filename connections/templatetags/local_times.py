"""Times within texts, as a page shows them."""

from django import template

from connections.detail_messages import write_times

register = template.Library()
register.filter("write_times", write_times)
