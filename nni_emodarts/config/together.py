"""Whether several processes can train together what a configuration asks for."""

from nni_emodarts.config.schema import ExperimentConfig
from nni_emodarts.config.strategies import STRATEGIES, of_family
from nni_emodarts.errors import ConfigError


def check_search_together(config: ExperimentConfig) -> None:
    """Refuse a search that several processes cannot do together.

    Raises:
        ConfigError: the strategy trains no supernet, or one that a process trains alone; or a batch is too small.
    """
    if config.processes == 1:
        return
    strategy = STRATEGIES[config.search.strategy]
    if strategy.family == "multi-trial":
        raise ConfigError(
            f"devices: {config.processes} processes are to train one supernet, and {strategy.name} trains none; leave "
            f"devices and nodes out, and train candidates side by side by search.options.concurrency"
        )
    if strategy.alone:
        others = ", ".join(each.name for each in of_family("one-shot") if not each.alone)
        raise ConfigError(
            f"devices: {config.processes} processes cannot search by {strategy.name} together, since {strategy.alone}; "
            f"leave devices and nodes out, or take one of {others}"
        )
    _check_batch(config, "search", config.search.batch_size)


def check_retraining_together(config: ExperimentConfig) -> None:
    """Refuse a retraining that several processes cannot do together.

    Raises:
        ConfigError: a batch has fewer utterances than there are processes.
    """
    _check_batch(config, "retrain", config.retrain.batch_size)


def _check_batch(config: ExperimentConfig, section: str, batch_size: int) -> None:
    if batch_size < config.processes:
        raise ConfigError(
            f"{section}.batch_size: {batch_size} utterances cannot be shared among {config.processes} processes; set "
            f"it to {config.processes} at least, or ask for fewer devices"
        )
