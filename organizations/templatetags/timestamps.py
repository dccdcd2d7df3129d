"""Times as elements, also within translated texts."""

from django import template

from organizations.timestamps import time_element

register = template.Library()
register.filter("time_element", time_element)
