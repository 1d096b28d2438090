"""Questions to NNI's manager."""

import time
from typing import Any

import requests

_TIMEOUT = 10.0  # seconds
_PAUSE = 1.0  # second


def ask(address: str, tries: int = 1) -> Any:
    """What a manager answers, as data. No proxy of the environment is asked, since a manager is on this very machine.

    Args:
        address: what to ask.
        tries: how often to ask one that does not answer.

    Raises:
        requests.RequestException: it does not answer, or with an error.
    """
    for left in reversed(range(tries)):
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(address, timeout=_TIMEOUT)
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException:
            if not left:
                raise
            time.sleep(_PAUSE)
    raise ValueError(f"tries is {tries} but must be at least 1")
