# SPDX-License-Identifier: BSD-2-Clause
import pytest

from express import ExpressSite


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with ExpressSite(tmp_path_factory.mktemp("xdp")) as s:
        if s.why:
            pytest.skip(s.why)
        yield s
