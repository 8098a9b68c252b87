"""What all tests share: how many cases hypothesis generates, the same ones on every run.

pytest --hypothesis-profile=thorough      many more, and others every time
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["HELO_TRUSTED"] = os.devnull  # which cells a person has named is remembered in the tests of it alone

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
