"""The handle that running code holds: what it takes."""

import inspect
from typing import Any

import pytest

from headway import Activities
from headway.reporter import Reporter


async def test_only_the_percent_may_go_unnamed() -> None:
    async with Activities("memory:") as activities, activities.start("sample") as activity:
        report: Any = activity.report
        with pytest.raises(TypeError, match="name the other arguments"):
            report(3, 10)  # not 3 of 10, nor anything else
        report(40)
        await activities.settled()
        assert activity.activity.percent == 40


def test_no_argument_is_keyword_only_for_that_would_cost_a_third_of_each_call() -> None:
    kinds = {parameter.kind for parameter in inspect.signature(Reporter.report).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
