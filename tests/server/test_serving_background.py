"""Background tasks: a fault ends none of them, and one that hangs holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from server.base.metrics import exposition
from server.child.supervised import ChildCondition
from server.serving import background
from server.serving.background import BackgroundTask, BackgroundTasks
from server.serving.supervision import Supervision

pytestmark = pytest.mark.in_time

PATIENCE = 30.0


async def until(told: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not told():
            await asyncio.sleep(0.001)


def test_one_that_raises_is_done_again_and_one_that_hangs_holds_up_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        tasks, done, raised = BackgroundTasks(), 0, 0

        async def hangs() -> None:
            await asyncio.Event().wait()

        def raises() -> None:
            nonlocal raised
            raised += 1
            raise OSError(28, "No space left on device") if raised < 3 else KeyError("a bug")

        async def works() -> None:
            nonlocal done
            done += 1

        for name, work in (("hangs", hangs), ("raises", raises), ("works", works)):
            tasks.begin(name, work, every=0.001)
        await until(lambda: raised >= 5 and done >= 5)
        assert tasks.faults == {"hangs": 0, "raises": raised, "works": 0}
        assert tasks.tasks["raises"].last_fault == "KeyError: 'a bug'"
        assert not any(tasks.hanging.values())
        monkeypatch.setattr(background, "HANGS_AFTER", 0.0)
        assert tasks.hanging["hangs"]
        await tasks.close()
        before = done
        await asyncio.sleep(0.01)
        assert done == before

    asyncio.run(scenario())
    assert caplog.text.count("raises: a fault") == 2  # once for each kind


def test_pauses_grow_while_it_fails_and_shrink_when_it_goes_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    fails = [True] * 9 + [False, True]

    class EnoughError(BaseException):
        pass

    async def passing(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > len(fails):
            raise EnoughError

    def work() -> None:
        if fails[len(pauses) - 1]:
            raise ValueError("a bug")

    monkeypatch.setattr(background.asyncio, "sleep", passing)
    with pytest.raises(EnoughError):
        asyncio.run(BackgroundTask("work", work, 1.0).run())
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0, 1.0, 2.0]


def test_health_and_metrics_tell_of_processes_and_tasks() -> None:
    async def scenario() -> None:
        tasks = BackgroundTasks()
        conditions = {"composing 1": ChildCondition("up"), "sound": ChildCondition("ended")}
        supervision = Supervision(lambda: conditions, tasks)
        assert supervision.health()["status"] == "ok"
        conditions["composing 1"] = ChildCondition(
            "waiting", 2, 5, "the model '/home/me/m.onnx' is not there"
        )

        def raises() -> None:
            raise ValueError("a bug")

        tasks.begin("places", raises, every=0.001)
        await until(lambda: tasks.faults["places"] > 0)
        await tasks.close()
        assert supervision.health() == {
            "status": "degraded",
            "processes": {
                "composing 1": {
                    "state": "waiting",
                    "restarts": 2,
                    "failures": 5,
                    "last_failure": "the model 'm.onnx' is not there",
                },
                "sound": {"state": "ended", "restarts": 0, "failures": 0, "last_failure": ""},
            },
            "tasks": {"hanging": [], "faults": {"places": "ValueError: a bug"}},
        }
        lines = exposition(supervision.metrics()).splitlines()
        assert 'perpetuo_process_up{process="composing 1"} 0' in lines
        assert 'perpetuo_process_restarts_total{process="composing 1"} 2' in lines
        assert 'perpetuo_process_failures_total{process="composing 1"} 5' in lines
        assert 'perpetuo_task_hanging{task="places"} 0' in lines
        (faults,) = [line for line in lines if line.startswith("perpetuo_task_faults_total{")]
        assert int(faults.split()[1]) == tasks.faults["places"]

    asyncio.run(scenario())
