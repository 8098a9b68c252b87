"""What all tests share: how many cases hypothesis generates, the same ones on every run.

pytest --hypothesis-profile=thorough      many more, and others every time
"""

import os

from hypothesis import HealthCheck, settings

os.environ["HELO_TRUSTED"] = os.devnull  # which cells a person has named is remembered in the tests of it alone

slow = [HealthCheck.too_slow]
settings.register_profile("usual", max_examples=6, derandomize=True, deadline=None, suppress_health_check=slow)
settings.register_profile("thorough", max_examples=50, deadline=None, suppress_health_check=slow)
settings.load_profile("usual")
