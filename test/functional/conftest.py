import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: also run with the sanitized binary")
