import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: also run with the sanitized binary")


def pytest_sessionstart(session):
    """Roles and peers run as accounts of their own: whether they reach a test's folder is for the test to say, not for what ran before it."""
    base = session.config._tmp_path_factory.getbasetemp()  # pylint: disable=protected-access
    for folder in (base.parent, base):
        if folder.stat().st_uid == os.getuid() and str(folder) != "/tmp":
            folder.chmod(0o755)
