"""Numbers for Prometheus and as JSON."""

from robyn_server.observability.metrics import Metrics
from robyn_server.resources.run import Census


def test_requests_are_counted_by_route_and_status():
    metrics = Metrics(slots=4)
    metrics.request_ended("GET", "/threads/{thread_id}", 200, 3.0)
    metrics.request_ended("GET", "/threads/{thread_id}", 200, 700.0)
    metrics.request_ended("GET", "/threads/{thread_id}", 404, 1.0)
    assert metrics.as_json(Census())["api"]["http_requests_total"] == [
        {"method": "GET", "path": "/threads/{thread_id}", "status": 200, "count": 2},
        {"method": "GET", "path": "/threads/{thread_id}", "status": 404, "count": 1},
    ]
    text = metrics.as_prometheus(Census())
    name = "lg_api_http_requests_latency"
    assert f'{name}_bucket{{method="GET",path="/threads/{{thread_id}}",le="5"}} 2' in text
    assert f'{name}_bucket{{method="GET",path="/threads/{{thread_id}}",le="+Inf"}} 3' in text
    assert f'{name}_count{{method="GET",path="/threads/{{thread_id}}"}} 3' in text
    assert "lg_api_workers_max 4" in text


def test_the_queue_is_that_of_all_servers():
    metrics = Metrics(slots=1)
    census = Census(pending=3, running=7, workers=2, longest_wait=3.5, median_wait=2.0)
    queue = metrics.as_json(census)["queue"]
    assert queue == {
        "n_pending": 3,
        "n_running": 7,
        "pending_runs_wait_time_max_secs": 3.5,
        "pending_runs_wait_time_med_secs": 2.0,
    }
    told = metrics.as_prometheus(census).splitlines()
    assert {
        "lg_api_num_pending_runs 3",
        "lg_api_num_running_runs 7",
        "lg_api_pending_runs_wait_time_max 3.5",
        "robyn_server_busy_workers 2",
        "lg_api_workers_active 0",
    } <= set(told)
    assert metrics.as_json(Census())["queue"]["pending_runs_wait_time_max_secs"] is None
