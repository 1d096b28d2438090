"""What a manager that our commands start finds in its environment."""

import os
from urllib.request import getproxies, proxy_bypass

import pytest
from requests.utils import get_environ_proxies

from nni_emodarts.nni_bridge.manager_environment import manager_environment, manager_started_here
from nni_emodarts.nni_bridge.node_options import node_options
from nni_emodarts.runtime.processes import process_name

_NAMES = ("NODE_OPTIONS", "no_proxy", "NO_PROXY", "EMODARTS_OWNER", "EMODARTS_MANAGER_HOST")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_NAMES, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("excepted", [{}, {"no_proxy": "intern.example"}, {"NO_PROXY": "intern.example, other"}])
def test_no_proxy_stands_between(name: str, excepted: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As requests and websockets ask; what a person excepted stays so, whichever of the names it stands in."""
    monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    for key, value in excepted.items():
        monkeypatch.setenv(key, value)
    with manager_started_here():
        for host in ("localhost", "127.0.0.1"):
            assert get_environ_proxies(f"http://{host}:8080/api") == {}
            assert proxy_bypass(f"{host}:8080")
        assert bool(proxy_bypass("intern.example:80")) == bool(excepted)
        assert not proxy_bypass("elsewhere.example:80")
        assert getproxies()
    assert not proxy_bypass("localhost:8080")


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")
    before = dict(os.environ)
    with manager_started_here():
        assert os.environ["NODE_OPTIONS"] == node_options("--no-warnings")
        assert os.environ["EMODARTS_OWNER"] == process_name()
        assert os.environ["EMODARTS_MANAGER_HOST"] == "127.0.0.1"
    assert dict(os.environ) == before
    assert manager_environment(owned=False)["EMODARTS_OWNER"] == ""
    monkeypatch.setenv("EMODARTS_MANAGER_HOST", "0.0.0.0")
    assert manager_environment()["EMODARTS_MANAGER_HOST"] == "127.0.0.1", "a manager of ours is asked for by an option"
