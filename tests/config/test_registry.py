"""What can be chosen by name, in general."""

import math
import re

import pytest

from nni_emodarts.config.registry import Entry, Registry
from nni_emodarts.errors import ConfigError

ROOT, MODULE = Entry[object]("root", "math:sqrt"), Entry[object]("module", "math")
INNER = Entry[object]("inner", "collections:OrderedDict.fromkeys")


def test_entries_stand_in_their_order_behind_those_of_others() -> None:
    others = Registry("letter", Entry[object]("b", "math"))
    registry = Registry("letter", Entry[object]("c", "math"), Entry[object]("a", "math"), derived=others.values)
    assert list(registry) == ["b", "c", "a"]
    assert len(registry) == 3
    with others.adding(Entry[object]("d", "math")):
        assert list(registry) == ["b", "d", "c", "a"]
    assert list(registry) == ["b", "c", "a"]


def test_code_is_imported_when_it_is_asked_for() -> None:
    assert ROOT.load() is math.sqrt
    assert MODULE.load() is math
    assert INNER.load() == __import__("collections").OrderedDict.fromkeys
    absent = Entry[object]("absent", "math.nothing:sqrt")
    with pytest.raises(ImportError):
        absent.load()


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    registry = Registry("function", ROOT, MODULE)
    assert registry.find("root") is ROOT
    with pytest.raises(
        ConfigError, match=re.escape("function 'rot' is unknown; did you mean root? known: module, root")
    ):
        registry.find("rot")


def test_an_added_entry_goes_whatever_happens() -> None:
    registry = Registry("function", ROOT)
    with registry.adding(MODULE, INNER):
        assert list(registry) == ["root", "module", "inner"]
    assert list(registry) == ["root"]
    with pytest.raises(ConfigError), registry.adding(MODULE):
        registry.find("inner")
    assert list(registry) == ["root"]


def test_no_name_is_taken_twice() -> None:
    others = Registry("function", MODULE)
    with pytest.raises(ValueError, match="function 'root' is registered twice"):
        Registry("function", ROOT, ROOT)
    with pytest.raises(ValueError, match="function 'module' is registered twice"):
        Registry("function", MODULE, derived=others.values)
    registry = Registry("function", ROOT)
    with pytest.raises(ValueError, match="function 'root' is registered twice"), registry.adding(ROOT):
        pass
    assert list(registry) == ["root"]
