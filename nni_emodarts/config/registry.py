"""Registries: what can be chosen by name. Each kind of thing has one, and a new thing is one entry of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Generic, Protocol, TypeVar, cast

from nni_emodarts.config.faults import nearest
from nni_emodarts.errors import ConfigError

Loaded = TypeVar("Loaded")


class Named(Protocol):
    """What can be an entry of a registry."""

    @property
    def name(self) -> str:
        """What it is called in options, lists and files."""
        ...


NamedEntry = TypeVar("NamedEntry", bound=Named)


@dataclass(frozen=True)
class Entry(Generic[Loaded]):
    """A name, and the code behind it, which is imported when it is asked for: to list names takes no torch.

    Attributes:
        name: what it is called in options, lists and files.
        code: where its code is: `package.module:name`, or `package.module` where the module itself is what is meant.
    """

    name: str
    code: str

    def load(self) -> Loaded:
        """The code itself."""
        return cast(Loaded, resolve_name(self.code if ":" in self.code else f"{self.code}:"))


class Registry(Mapping[str, NamedEntry]):
    """Entries of one kind by name, in the order in which they are listed."""

    def __init__(self, kind: str, *entries: NamedEntry, derived: Callable[[], Iterable[NamedEntry]] = tuple) -> None:
        """Make a registry.

        Args:
            kind: what messages call an entry.
            entries: its own entries.
            derived: makes those that follow from other registries; they are listed first.

        Raises:
            ValueError: two entries have one name.
        """
        self._kind = kind
        self._derived = derived
        self._own: tuple[NamedEntry, ...] = ()
        self._own = self._with(entries)

    def __getitem__(self, name: str) -> NamedEntry:
        return self._by_name()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __len__(self) -> int:
        return len(self._by_name())

    def find(self, name: str) -> NamedEntry:
        """The entry of a name.

        Raises:
            ConfigError: there is none; the message names the nearest ones, then all.
        """
        if name not in self:
            raise ConfigError(f"{self._kind} {name!r} is unknown{nearest(name, self)}")
        return self[name]

    @contextmanager
    def adding(self, *entries: NamedEntry) -> Iterator[None]:
        """Further entries for as long as the context lasts, in this process alone.

        Raises:
            ValueError: a name is taken.
        """
        before = self._own
        self._own = self._with(entries)
        try:
            yield
        finally:
            self._own = before

    def _by_name(self) -> dict[str, NamedEntry]:
        return {entry.name: entry for entry in (*self._derived(), *self._own)}

    def _with(self, entries: Iterable[NamedEntry]) -> tuple[NamedEntry, ...]:
        own = (*self._own, *entries)
        names = [entry.name for entry in (*self._derived(), *own)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{self._kind} {name!r} is registered twice")
        return own
