"""Workers on two real nodes: units are done once each, whoever is lost; strangers are refused."""

import os
import signal
import time

import pytest
from cluster_work import squares

from scripts.ray_nodes import OTHER
from trainers.cluster.crew import Crew
from trainers.cluster.stream import Stream
from trainers.errors import ClusterError

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]


def do(crew, units):
    return sorted(Stream(crew, iter(units)).results())


def test_every_unit_is_done_once_by_both_nodes(config):
    with Crew(config, squares(config)) as crew:
        assert len({hand.place.node.id for hand in crew.hands}) == crew.capacity == 2
        assert do(crew, range(50)) == [(i, i * i) for i in range(50)]
        assert do(crew, []) == []
    assert crew.notices == []


def test_ray_leaves_the_handler_by_which_a_stage_is_stopped(two):
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_killed_worker_is_replaced_and_its_units_are_done_again(config, two):
    with Crew(config, squares(config)) as crew:
        found = []
        for number, square in Stream(crew, iter(range(200))).results():
            found.append((number, square))
            if len(found) == 20:
                os.kill(two.workers()[0], signal.SIGKILL)
        assert sorted(found) == [(i, i * i) for i in range(200)]
        ends = time.monotonic() + 60
        while crew.capacity < 2 and time.monotonic() < ends:
            do(crew, range(5))
            time.sleep(0.1)
        assert crew.capacity == 2
    assert "lost a worker" in crew.notices[0]


def test_a_killed_node_costs_nothing_and_its_return_is_noticed(config, two):
    with Crew(config, squares(config)) as crew:
        found = []
        for number, square in Stream(crew, iter(range(200))).results():
            found.append((number, square))
            if len(found) == 20:
                two.kill()
        assert sorted(found) == [(i, i * i) for i in range(200)]
        assert crew.capacity == 1
        two.restore()
        ends = time.monotonic() + 60
        while crew.capacity < 2 and time.monotonic() < ends:
            time.sleep(0.2)
            do(crew, range(3))
        assert crew.capacity == 2


def test_a_unit_that_kills_its_worker_ends_after_the_configured_attempts(config):
    bounded = config.model_copy(update={"attempts": 2})
    with (
        Crew(bounded, squares(bounded)) as crew,
        pytest.raises(ClusterError, match=r"lost its worker 2 times \(cluster.attempts\)"),
    ):
        do(crew, [3, -1, 4])
    given_up = squares(bounded, give_up=lambda unit, why: 0)
    with Crew(bounded, given_up) as crew:
        assert do(crew, [3, -1, 4]) == [(0, 9), (1, 0), (2, 16)]


def test_a_fault_of_the_program_is_raised_at_once(config):
    with Crew(config, squares(config)) as crew, pytest.raises(KeyError, match="a fault"):
        do(crew, [-2])


def test_a_node_whose_results_could_not_be_compared_does_not_take_part(config):
    with Crew(config, squares(config, {OTHER: "cubes"})) as crew:
        assert do(crew, range(10)) == [(i, i * i) for i in range(10)]
        assert crew.capacity == 1
    assert len(crew.notices) == 1
    assert "it has cubes, but here it is squares" in crew.notices[0]
    assert "square alike" in crew.notices[0]


def test_without_any_node_to_work_on_the_reasons_are_said(config):
    with (
        pytest.raises(ClusterError, match=r"no node of the cluster is left for squaring.*cubes"),
        Crew(config, squares(config, {"": "cubes"})),
    ):
        pass
