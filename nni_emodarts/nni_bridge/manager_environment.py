"""The environment in which our commands start NNI's manager, its trials and its tuner."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nni_emodarts.nni_bridge.node_options import node_options
from nni_emodarts.runtime.environment_variables import environment_with
from nni_emodarts.runtime.processes import process_name

THIS_MACHINE = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - what a person has to ask for

_HOST = "EMODARTS_MANAGER_HOST"
_OWNER = "EMODARTS_OWNER"
_LOCAL = ("localhost", "127.0.0.1")


def manager_environment(*, owned: bool = True, host: str = THIS_MACHINE) -> dict[str, str]:
    """What to set for a manager, besides the environment of this process.

    Args:
        owned: the manager ends with this process, however that ends.
        host: the address at which it listens.
    """
    return {
        "NODE_OPTIONS": node_options(),
        _HOST: host,
        _OWNER: process_name() if owned else "",
        **without_proxy(os.environ),
    }


@contextmanager
def manager_started_here() -> Iterator[None]:
    """Set that environment for a manager that this process starts meanwhile, and for its own requests to it."""
    with environment_with(manager_environment()):
        yield


def without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """`no_proxy` of an environment, under both of its names, such that this machine is asked directly.

    NNI, its trials and its tuner ask their manager at localhost, and by the proxy where the environment names one.
    """
    listed = [environment.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    hosts = [host.strip() for each in listed for host in each.split(",") if host.strip()]
    value = ",".join(dict.fromkeys([*hosts, *_LOCAL]))
    return {"no_proxy": value, "NO_PROXY": value}
