"""Numbers for Prometheus and as JSON."""

from robyn_server.observability.metrics import Metrics


def test_requests_are_counted_by_route_and_status():
    metrics = Metrics(slots=4)
    metrics.request_ended("GET", "/threads/{thread_id}", 200, 3.0)
    metrics.request_ended("GET", "/threads/{thread_id}", 200, 700.0)
    metrics.request_ended("GET", "/threads/{thread_id}", 404, 1.0)
    assert metrics.as_json([])["api"]["http_requests_total"] == [
        {"method": "GET", "path": "/threads/{thread_id}", "status": 200, "count": 2},
        {"method": "GET", "path": "/threads/{thread_id}", "status": 404, "count": 1},
    ]
    text = metrics.as_prometheus([2.5])
    name = "lg_api_http_requests_latency"
    assert f'{name}_bucket{{method="GET",path="/threads/{{thread_id}}",le="5"}} 2' in text
    assert f'{name}_bucket{{method="GET",path="/threads/{{thread_id}}",le="+Inf"}} 3' in text
    assert f'{name}_count{{method="GET",path="/threads/{{thread_id}}"}} 3' in text
    assert "lg_api_workers_max 4" in text


def test_the_queue_is_what_the_caller_says():
    queue = Metrics(slots=1).as_json([3.0, 1.0, 2.0])["queue"]
    assert queue["n_pending"] == 3
    assert queue["pending_runs_wait_time_max_secs"] == 3.0
    assert queue["pending_runs_wait_time_med_secs"] == 2.0
