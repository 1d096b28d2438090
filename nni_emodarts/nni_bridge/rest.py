"""Questions to NNI's manager."""

from typing import Any

import requests

_TIMEOUT = 10.0  # seconds


def ask(address: str) -> Any:
    """What a manager answers, as data. No proxy of the environment is asked, since a manager is on this very machine.

    Raises:
        requests.RequestException: it does not answer, or with an error.
    """
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(address, timeout=_TIMEOUT)
    answer.raise_for_status()
    return answer.json()
