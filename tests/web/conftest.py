"""The same installation and clients as the tests of the API."""

from tests.api.conftest import act_as, demo

__all__ = ["act_as", "demo"]
