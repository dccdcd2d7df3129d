"""Wait in measurements: look often, so that times are exact to some hundredths of a second."""

from functools import partial

from tests.support import managed_process

until = partial(managed_process.until, longest_pause=0.02)
