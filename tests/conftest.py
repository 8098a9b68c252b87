"""What all tests share: how many cases hypothesis generates, the same ones on every run.

pytest --hypothesis-profile=thorough      many more, and others every time
"""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["HELO_TRUSTED"] = os.devnull  # which cells a person has named is remembered in the tests of it alone

# Whoever begins the tests behind an & or by nohup has these ignored, and so would every command that a test stops.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

slow = [HealthCheck.too_slow]
settings.register_profile("usual", max_examples=6, derandomize=True, deadline=None, suppress_health_check=slow)
settings.register_profile("thorough", max_examples=50, deadline=None, suppress_health_check=slow)
settings.load_profile("usual")


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    """The name of a small table of texts with labels, in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    rows = (f"{'good fine' if i % 2 else 'bad poor'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}\n" for i in range(80))
    Path("reviews.tsv").write_text("text\tlabel\n" + "".join(rows))
    return "reviews.tsv"
