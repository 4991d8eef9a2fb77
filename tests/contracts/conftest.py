"""Failures inside the contract tell what they compared."""

import pytest

pytest.register_assert_rewrite("headway.testing.kept", "headway.testing.stores", "headway.testing.durable_stores")
