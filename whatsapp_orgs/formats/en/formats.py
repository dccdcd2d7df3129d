"""English: dates without a name of a month are read alike in all its countries."""

SHORT_DATETIME_FORMAT = "Y-m-d H:i"
TIMESTAMP_FORMAT = "Y-m-d H:i:s"
