"""How property tests run: the same examples each time, or long and at random.

`HYPOTHESIS_PROFILE=long` (`make properties`) tries 10,000 random examples of each property.
"""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
