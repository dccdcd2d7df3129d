"""English: dates without a name of a month are read alike in all its countries."""

DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i"
TIME_FORMAT = "H:i"
TIMESTAMP_FORMAT = "Y-m-d H:i:s"
