"""Several processes for one network, as a configuration has them."""

import pytest

from nni_emodarts.config import ExperimentConfig, check_retraining_together, check_search_together, load_config
from nni_emodarts.config.resuming import meaning
from nni_emodarts.errors import ConfigError


def asked(*settings: str) -> ExperimentConfig:
    return load_config("tiny", settings=settings)


def test_one_process_means_what_it_meant_before_there_could_be_several() -> None:
    assert meaning(asked()) == meaning(asked("devices=1", "nodes=1"))
    assert not {"devices", "nodes", "processes"} & set(asked().meaning())


def test_who_has_the_devices_makes_no_other_run() -> None:
    """A run that one machine of four devices began may go on on two of two."""
    assert meaning(asked("devices=4")) == meaning(asked("devices=2", "nodes=2"))
    assert meaning(asked("devices=4")) != meaning(asked("devices=2"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["search.strategy=random"], "random trains none; leave devices and nodes out"),
        (["search.strategy=enas"], "cannot search by enas together, since its controller learns from rewards"),
        (["search.batch_size=3", "nodes=2"], "search.batch_size: 3 utterances cannot be shared among 4 processes"),
    ],
)
def test_searches_that_processes_cannot_do_together_are_refused(settings: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_search_together(asked("devices=2", *settings))
    check_search_together(asked(*(each for each in settings if each != "nodes=2")))


def test_batches_of_a_retraining_can_be_shared() -> None:
    check_retraining_together(asked("devices=4", "retrain.batch_size=4", "search.strategy=random"))
    with pytest.raises(ConfigError, match=r"retrain.batch_size: 4 utterances .* 5 processes; set it to 5 at least"):
        check_retraining_together(asked("devices=5", "retrain.batch_size=4"))


def test_jobs_train_no_network_that_other_machines_share() -> None:
    config = load_config("tiny", settings=["nodes=2"])
    check_retraining_together(config)
    with pytest.raises(ConfigError, match="nodes: 2 machines are to train one network together, and --launcher"):
        check_retraining_together(config, in_jobs=True)
