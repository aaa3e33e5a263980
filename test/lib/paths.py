"""Where things are: the binary under test, test programs, and the data that may lie beside the source tree."""
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("ZONECAST_BUILD", os.path.join(TOP, "build"))
ZONECAST = os.environ.get("ZONECAST", os.path.join(BUILD, "zonecast"))
SHARED = os.environ.get("ZONECAST_SHARED", os.path.join(os.path.dirname(TOP), "shared"))
ZONES = os.path.join(SHARED, "data", "zones")
SANITIZED = "asan" in os.path.basename(BUILD.rstrip("/"))


def program(name):
    return os.path.join(BUILD, "test", "lib", name)
