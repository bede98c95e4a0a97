"""What a service tells Prometheus. No label and no value comes from a witness or an input."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from zkgpu.service.places import Outcome, Place

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.waiting = self._gauge("queue_depth", "Jobs that wait.")
        self.running = self._gauge("running", "Jobs that are proven at the moment.")
        self.wait = self._histogram("queue_wait_seconds", "From the acceptance of a job until it was begun.", [])
        self.stage = self._histogram("stage_seconds", "Seconds of a proof's stage.", ["stage"])
        self.proof = self._histogram("proof_seconds", "Seconds from a job's beginning to its end.", ["key"])
        self.jobs = self._counter("jobs", "Jobs that are over.", ["key", "state", "exit_code"])
        self.refused = self._counter("refused", "Requests that were refused.", ["reason"])
        self.self_checks = self._counter("self_check_failures", "Proofs that failed their self-check.", ["place"])
        self.retries = self._counter("retries", "Jobs that were tried again.", ["place", "reason"])
        self.resident = self._gauge("resident_bytes", "What the open keys of a place take, about.", ["place"])
        self.keys = self._gauge("resident_keys", "Keys that are open at a place.", ["place"])
        self.memory = self._gauge("device_memory_bytes", "Memory of a place's device.", ["place", "kind"])
        self.restarts = self._gauge("place_restarts", "How often a place was begun anew.", ["place"])

    def _counter(self, name: str, text: str, labels: Sequence[str]) -> Counter:
        return Counter(f"zkgpu_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"zkgpu_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: Sequence[str]) -> Histogram:
        return Histogram(f"zkgpu_{name}", text, labels, buckets=_SECONDS, registry=self.registry)

    def end(self, key: str, place: str, outcome: Outcome) -> None:
        """What is counted of a job that came to its end at a place."""
        for stage, seconds in outcome.get("stages", {}).items():
            self.stage.labels(stage).observe(seconds)
        if "seconds" in outcome:
            self.proof.labels(key).observe(outcome["seconds"])
        self.self_checks.labels(place).inc(outcome.get("self_check_failures", 0))
        for _ in outcome.get("device_errors", ()):
            self.retries.labels(place, "device").inc()

    def text(self, waiting: int, places: Sequence[Place]) -> bytes:
        """The page of /metrics."""
        self.waiting.set(waiting)
        for place in places:
            self.resident.labels(place.name).set(place.state.bytes)
            self.keys.labels(place.name).set(len(place.state.resident))
            self.restarts.labels(place.name).set(place.state.restarts)
            for kind, size in place.state.device_memory.items():
                self.memory.labels(place.name, kind).set(size)
        return generate_latest(self.registry)
