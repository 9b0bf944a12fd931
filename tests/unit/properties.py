"""How many examples a property test tries: enough in a short run, many in a long one."""

from hypothesis import settings


def examples(enough):
    """Return the settings of a property test; see tests/conftest.py for the two runs."""
    is_long = settings.get_current_profile_name() == "long"
    return settings() if is_long else settings(max_examples=enough)
