"""What the arbiter tells statsd by itself."""

from __future__ import annotations

import socket

import pytest

from gunicorn.arbiter.gauges import PERIOD_NS, BacklogGauge
from gunicorn.net.address import parse_bind
from gunicorn.net.listeners import ListenOptions, open_listeners


class Sent(list):
    def gauge(self, name: str, value: float) -> None:
        self.append((name, value))


@pytest.fixture
def listeners(tmp_path):
    made = open_listeners([parse_bind("127.0.0.1:0"), parse_bind(f"unix:{tmp_path}/s")], ListenOptions())
    yield made
    for one in made:
        one.close(unlink=True)


def test_waiting_connections_are_counted_once_a_period(listeners):
    sent = Sent()
    gauge = BacklogGauge(sent)
    assert gauge.look(listeners, 5) == 5 + PERIOD_NS
    clients = [socket.create_connection(listeners[0].address) for _ in range(3)]
    assert gauge.look(listeners, 6) == 5 + PERIOD_NS
    assert gauge.look(listeners, 5 + PERIOD_NS) == 5 + 2 * PERIOD_NS
    assert sent == [("gunicorn.backlog", 0), ("gunicorn.backlog", 3)]
    for client in clients:
        client.close()


def test_what_cannot_be_known_is_not_sent(listeners):
    sent = Sent()
    BacklogGauge(sent).look(listeners[1:], 5)
    assert sent == []
