"""Spanish: Django's own dates are too long for a column of a table."""

DATE_FORMAT = "d/m/Y"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "d/m/Y H:i"
TIMESTAMP_FORMAT = "d/m/Y H:i:s"
MONTH_DAY_FORMAT = "d/m"
YEAR_MONTH_FORMAT = "m/Y"
