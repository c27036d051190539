import time
from datetime import UTC, datetime

from robyn_server.observability.metrics import Metrics
from robyn_server.resources.run import Census
from robyn_server.worker.duties.loop_lag import LoopLag

NOW = datetime.now(UTC)


async def test_time_for_which_the_loop_stood_still_is_counted() -> None:
    metrics = Metrics(slots=1)
    duty = LoopLag(metrics)
    assert await duty.run_once(NOW) == 0
    time.sleep(duty.every.total_seconds() + 0.1)  # noqa: ASYNC251 - it is what this is about
    await duty.run_once(NOW)

    told = dict(
        line.rsplit(" ", 1) for line in metrics.as_prometheus(Census()).splitlines() if line[0] != "#"
    )
    assert 0.1 <= float(told["robyn_server_event_loop_lag_seconds"]) < 5
    assert 0.1 <= float(told["robyn_server_event_loop_blocked_seconds_total"]) < 5
