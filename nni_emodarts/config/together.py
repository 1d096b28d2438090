"""Whether several processes can train together what a configuration asks for, and where those of machines meet."""

import os
from dataclasses import dataclass

from nni_emodarts.config.schema import ExperimentConfig
from nni_emodarts.config.strategies import STRATEGIES, of_family
from nni_emodarts.errors import ConfigError

ADDRESS, PORT, NODE = "MASTER_ADDR", "MASTER_PORT", "NODE_RANK"
"""Variables of the environment, by the names that torchrun and Lightning have: address and port of the first machine,
and the number of this one."""


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


def check_retraining_together(config: ExperimentConfig, in_jobs: bool = False) -> None:
    """Refuse a retraining that several processes cannot do together.

    Args:
        config: the whole configuration.
        in_jobs: whether jobs train the networks, each of them some.

    Raises:
        ConfigError: a batch has fewer utterances than there are processes, or jobs would wait for other machines.
    """
    if in_jobs and config.nodes > 1:
        raise ConfigError(
            f"nodes: {config.nodes} machines are to train one network together, and --launcher shares networks among "
            f"jobs; leave one of them out"
        )
    _check_batch(config, "retrain", config.retrain.batch_size)


def refuse_several_machines(config: ExperimentConfig) -> None:
    """Refuse several machines for one network where a command trains many.

    Raises:
        ConfigError: they are asked for.
    """
    if config.nodes > 1:
        raise several_machines(config)


def several_machines(config: ExperimentConfig) -> ConfigError:
    """What is said where machines cannot train together."""
    return ConfigError(
        f"nodes: {config.nodes} machines train one network together in search and retrain alone; leave nodes out, and "
        f"let each machine compute cells of its own"
    )


def _check_batch(config: ExperimentConfig, section: str, batch_size: int) -> None:
    if batch_size < config.processes:
        raise ConfigError(
            f"{section}.batch_size: {batch_size} utterances cannot be shared among {config.processes} processes; set "
            f"it to {config.processes} at least, or ask for fewer devices"
        )


@dataclass(frozen=True)
class Place:
    """Where the machines meet, and which of them this one is."""

    host: str
    port: int
    node: int
    nodes: int

    @classmethod
    def of(cls, config: ExperimentConfig) -> "Place":
        """The place that the environment names.

        Raises:
            ConfigError: it names none, or no number of a machine.
        """
        lacking = [name for name in (ADDRESS, PORT, NODE) if not os.environ.get(name)]
        if lacking:
            raise ConfigError(
                f"nodes: {config.nodes} machines train together, and {', '.join(lacking)} of the environment says "
                f"not where they meet; start the same command on each with {ADDRESS} and {PORT}, an address of the "
                f"first and a free port of it, and {NODE}, 0 on the first and up to {config.nodes - 1}"
            )
        port, node = _number(PORT, 2**16 - 1), _number(NODE, config.nodes - 1)
        return cls(os.environ[ADDRESS], port, node, config.nodes)


def _number(name: str, most: int) -> int:
    text = os.environ[name]
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise ConfigError(f"{name} of the environment: {text!r} is no number from 0 to {most}; set it to one")
    return int(text)


def is_further_machine(config: ExperimentConfig) -> bool:
    """Whether another machine is the first: this one writes nothing and decides nothing.

    Raises:
        ConfigError: there are several machines, and the environment says not which this one is.
    """
    return config.nodes > 1 and Place.of(config).node > 0
