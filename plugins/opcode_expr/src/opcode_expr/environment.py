"""The names that an expression begins with."""

from collections.abc import Iterator, Mapping
from typing import Any


class Steps(Mapping[str, Any]):
    """The steps of the scope; asking for one that did not run is an error, as in the other languages."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Mapping[str, Any]) -> None:
        self._steps = steps

    def __getitem__(self, step_id: str) -> Any:
        return self._steps[step_id]

    def __contains__(self, step_id: object) -> bool:
        return step_id in self._steps

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


class Environment(Mapping[str, Any]):
    """What `$env` is: the scope, and the keys of `data` as names of their own.

    A name of the scope means what it always means, whatever keys `data` has.
    """

    __slots__ = ("_data", "_scope")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self._data: Mapping[str, Any] | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """`data` when it is a map; looked up when a name is not the scope's own."""
        if self._data is None:
            data = self._scope.get("data")
            self._data = data if isinstance(data, Mapping) else {}
        return self._data

    def __getitem__(self, name: str) -> Any:
        try:
            value = self._scope[name]
        except KeyError:
            return self.data[name]
        return Steps(value) if name == "steps" and isinstance(value, Mapping) else value

    def __contains__(self, name: object) -> bool:
        return name in self._scope or name in self.data

    def __iter__(self) -> Iterator[str]:
        yield from self._scope
        yield from (name for name in self.data if name not in self._scope)

    def __len__(self) -> int:
        return sum(1 for _ in self)
