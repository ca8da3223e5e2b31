"""The alphabet of the texts that Hypothesis generates."""

from __future__ import annotations

from hypothesis import strategies as st

#: Every character that UTF-8 can encode, as in ``st.text()`` without an alphabet. That would try to encode a
#: million of them first, in each process, which takes longer than the tests.
UTF_8 = st.characters(exclude_categories=["Cs"])
