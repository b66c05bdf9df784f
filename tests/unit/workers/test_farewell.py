from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.workers.farewell import CLEAN_UP, graceful, quick


@pytest.mark.parametrize(("total", "tell", "cancel", "over"), [(30, 26.2, 27.2, 29.5), (5, 2.85, 3.3, 4.5)])
def test_graceful(total, tell, cancel, over):
    assert graceful(total) == pytest.approx((tell, cancel, over))


def test_quick():
    assert quick(3) == pytest.approx((0, 0.7, 2.6))


@given(st.floats(0.1, 86400))
def test_the_last_part_is_the_applications_own(total):
    for times in (graceful(total), quick(total)):
        assert 0 <= times.tell < times.cancel < times.over < total
        assert times.over - times.cancel >= min(CLEAN_UP, total * 0.1)
    assert graceful(total).tell >= total * 0.25


@given(st.floats(10, 86400))
def test_nearly_all_is_for_the_requests(total):
    assert graceful(total).tell >= total - 4
