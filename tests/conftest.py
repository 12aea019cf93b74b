"""What all tests share: the two event loops and the two hypothesis profiles."""

import os
import resource

import pytest
from hypothesis import HealthCheck, settings

# A disk that syncs slowly is not a defect, so no profile has a deadline.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci",
    parent=settings.get_profile("default"),
    derandomize=True,  # the same examples each time: a red gate can be reproduced
    database=None,
    print_blob=True,
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
)

# Tests that act a killed writer leave open what it held; a soft limit of 1,024 is soon reached.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both loops: nothing in the library may know which one it has."""
    name: str = request.param
    return name
