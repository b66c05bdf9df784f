"""No value of any type makes a row do anything but answer or refuse in one line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.config import TABLE
from gunicorn.errors import ConfigError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.binary(max_size=8)
VALUES = st.one_of(
    SCALARS,
    st.text(alphabet="0123456789.:/,[]@-kmgxo ", max_size=30),
    st.sampled_from(["9" * 5000, 10**400, -(10**400), object(), "unix:\0", "a\0b", "\ud800"]),
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.text(max_size=5) | st.integers(), SCALARS, max_size=3),
)
KINDS = {row.kind.label + str(row.kind.schema): row for row in TABLE.values() if row.kind.label != "hook"}


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.name)
@settings(max_examples=60, deadline=None, database=None)
@given(value=VALUES)
def test_a_row_answers_or_refuses(row, value):
    refusal = None
    try:
        answer = row.check(value)
    except ConfigError as error:
        refusal = error
    if refusal is None:
        # What was checked once may be checked again, as an embedding application's values are.
        assert row.check(answer) == answer
    else:
        assert "\n" not in str(refusal)
        assert refusal.setting == row.name


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.name)
def test_a_default_survives_json(row):
    """What the schema calls the default may be written in TOML or JSON."""
    if row.factory is None:
        assert row.check(json.loads(json.dumps(row.make_default()))) == row.check(row.make_default())
