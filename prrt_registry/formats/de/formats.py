"""Days as they are written in German, read also as ISO dates; 24 hours; a decimal comma."""

DATE_FORMAT = SHORT_DATE_FORMAT = "d.m.Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "d.m.Y H:i"
YEAR_MONTH_FORMAT = "F Y"
MONTH_DAY_FORMAT = "d.m."
FIRST_DAY_OF_WEEK = 1

# Shown as the first is written. Full stops stand for day, month, year alone: 04.03.2019 is one day.
DATE_INPUT_FORMATS = ["%d.%m.%Y", "%Y-%m-%d", "%d. %b %Y", "%d. %B %Y", "%d %b %Y", "%d %B %Y"]
TIME_INPUT_FORMATS = ["%H:%M:%S", "%H:%M"]
DATETIME_INPUT_FORMATS = ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]

DECIMAL_SEPARATOR = ","
THOUSAND_SEPARATOR = "."
NUMBER_GROUPING = 3
