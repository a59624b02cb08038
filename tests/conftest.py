"""Settings for every test."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

from tests import witness

# Laws, not times: a busy machine must not fail a test.
settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("laws")

# A shell that runs the tests in the background has them ignore Ctrl-C, which some of them press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where a program of the system is missing, a test is skipped and says which; but not in CI, which
# installs them all.
MAY_SKIP = not os.environ.get("CI")

# Half of the tests wait for music or for processes that they have started, half compute: so there
# are more processes than cores, but not so many that music comes late.
PROCESSES_A_CORE = 2
MOST_PROCESSES = 8


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """In how many processes tests are run. A few files are done sooner in this one."""
    named = [Path(name.partition("::")[0]) for name in config.args]
    if all(path.suffix == ".py" for path in named):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST_PROCESSES, PROCESSES_A_CORE * (cores or 1))


# A door that everybody goes through, and the room behind it: files, of which only the locks matter.
DOOR, ROOM = Path(__file__), Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that must be alone come last, so that few wait until the others have left."""
    items.sort(key=_is_alone)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    hooks = item.ihook
    hooks.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _in_time(item, nextitem):
        hooks.pytest_runtest_logreport(report=report)
    hooks.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


@contextmanager
def _in_the_room(*, alone: bool) -> Iterator[None]:
    """While this lasts, no other process runs a test that must be alone; none runs any, if this one
    must. Who waits to be alone keeps the door, so that nobody else comes in before."""
    room = os.open(ROOM, os.O_RDONLY)
    door = os.open(DOOR, os.O_RDONLY)
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
    finally:
        # Children that a test leaves behind would keep what is merely closed.
        for lock in (door, room):
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)


# Music is played in time only by a machine that gives time. Where a test of that fails beside
# others it is run again alone; where it fails while a witness saw the machine stand still it has
# shown nothing, and is run again too. The summary says so.
TIMES = 3
WITNESS = "PERPETUO_TEST_WITNESS"  # in the environment of the processes that run tests
AGAIN = "run again"
_witnesses = pytest.StashKey[subprocess.Popen[bytes]]()


def _in_time(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """The reports of one run of a test: of the first that nothing disturbed."""
    alone = _is_alone(item)
    times = TIMES if item.get_closest_marker("in_time") else 1
    seen = witness.Witness(Path(os.environ[WITNESS]))
    for left in reversed(range(times)):
        with _in_the_room(alone=alone):
            begin = time.monotonic()
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        stalls = seen.stalls(begin, time.monotonic())
        disturbed = stalls or not alone
        if not (left and disturbed and any(report.failed for report in reports)):
            return reports
        why = f"stood still for {max(stalls):.2f} s" if stalls else "had other tests to run"
        item.user_properties.append((AGAIN, why))
        item._initrequest()  # type: ignore[attr-defined]
        alone = True
    raise AssertionError("the last time is returned whatever comes")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        handle, path = tempfile.mkstemp(prefix="perpetuo-witness-")
        os.close(handle)
        os.environ[WITNESS] = path
        config.stash[_witnesses] = witness.start(Path(path))


def pytest_unconfigure(config: pytest.Config) -> None:
    if seeing := config.stash.get(_witnesses, None):
        seeing.communicate()  # without its input it ends
        Path(os.environ.pop(WITNESS)).unlink()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == AGAIN and report.when == "call":
                terminalreporter.write_line(f"AGAIN {report.nodeid} - the machine {value}")


R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _no_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _no_skip(report)


def _no_skip(report: R) -> R:
    if report.skipped and not MAY_SKIP and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"skipped, which is an error in CI: {reason}"
    return report
