"""Ways in which a step can read a number that changes: where the number is kept, and how it is read."""

from __future__ import annotations

import array
import contextlib
import contextvars
import enum
import functools
import io
import itertools
import operator
import os
import sys
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd_spiral import no_grad
from autograd_spiral.engine.modes import scope

Get: TypeAlias = Callable[[], float]
Put: TypeAlias = Callable[[float], Any]

HOLDERS: list[Callable[[], tuple[Get, Put]]] = []
"""Each returns a function that reads a number, 1.0 at first, and one that changes it."""

WRAPPERS: list[Callable[[Get], Get]] = []
"""Each returns another function that reads the same number in its own way."""

_fresh = itertools.count()


def _holder(make: Any) -> Any:
    HOLDERS.append(make)
    return make


def _wrapper(make: Any) -> Any:
    WRAPPERS.append(make)
    return make


class Plain:
    pass


class Slots:
    __slots__ = ("v",)


class Own:
    """An object that answers attributes, items, calls, conversions and operators with what it hides."""

    def __init__(self, hidden: Any) -> None:
        object.__setattr__(self, "hidden", hidden)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.hidden[0]

    def __getitem__(self, key: Any) -> Any:
        return self.hidden[0]

    def __call__(self) -> Any:
        return self.hidden[0]

    def __float__(self) -> float:
        return float(self.hidden[0])

    def __index__(self) -> int:
        return int(self.hidden[0])

    def __mul__(self, other: Any) -> Any:
        return other * self.hidden[0]

    def __contains__(self, item: Any) -> bool:
        return bool(item == self.hidden[0])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.hidden)

    def __enter__(self) -> Any:
        return self.hidden[0]

    def __exit__(self, *error: object) -> None:
        pass


class Descriptor:
    def __init__(self, hidden: Any) -> None:
        self.hidden = hidden

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.hidden[0]


class Triple(NamedTuple):
    v: float
    rest: Any = None

    def value(self) -> float:
        return self.v


@dataclass
class Config:
    v: float = 1.0
    nested: dict[str, Any] = field(default_factory=lambda: {"a": {"b": 1.0}})


@dataclass(frozen=True)
class Frozen:
    v: float = 1.0


class Chain(list[Any]):
    rate = 1.0


class Options(dict[str, Any]):
    rate = 1.0


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


# --- where a number is kept -----------------------------------------------------------------------------------------


def _items(make: Callable[[], Any], key: Any) -> None:
    def holder() -> tuple[Get, Put]:
        kept = make()
        return lambda: kept[key], lambda v: operator.setitem(kept, key, v)

    HOLDERS.append(holder)


for _make, _key in [
    (lambda: [1.0], 0),
    (lambda: [1.0] * 100, 3),
    (lambda: deque([1.0]), 0),
    (lambda: {"a": 1.0}, "a"),
    (lambda: {str(i): 1.0 for i in range(64)}, "3"),
    (lambda: {str(i): 1.0 for i in range(65)}, "3"),
    (lambda: {Level.LOW: 1.0}, Level.LOW),
    (lambda: OrderedDict(a=1.0), "a"),
    (lambda: defaultdict(float, a=1.0), "a"),
    (lambda: ChainMap({"a": 1.0}), "a"),
    (lambda: UserDict(a=1.0), "a"),
    (lambda: Counter(a=1.0), "a"),
    (lambda: Chain([1.0]), 0),
    (lambda: Options(a=1.0), "a"),
    (lambda: array.array("d", [1.0]), 0),
    (lambda: bytearray([1]), 0),
    (lambda: np.ones(2), 0),
    (lambda: memoryview(bytearray([1])), 0),
]:
    if _key == 0 and isinstance(_make(), bytearray | memoryview):

        def _bytes(make: Any = _make) -> tuple[Get, Put]:
            kept = make()
            return lambda: float(kept[0]), lambda v: operator.setitem(kept, 0, int(v))

        HOLDERS.append(_bytes)
    else:
        _items(_make, _key)


def _attributes(make: Callable[[], Any], name: str = "v") -> None:
    def holder() -> tuple[Get, Put]:
        kept = make()
        setattr(kept, name, 1.0)
        return (lambda: kept.v) if name == "v" else (lambda: kept.rate), lambda v: setattr(kept, name, v)

    def by_getattr() -> tuple[Get, Put]:
        kept = make()
        setattr(kept, name, 1.0)
        return lambda: getattr(kept, name), lambda v: setattr(kept, name, v)

    HOLDERS.extend([holder, by_getattr])


for _make in (Plain, Slots, SimpleNamespace, Config, lambda: type("Fresh", (), {}), lambda: types.ModuleType("m")):
    _attributes(_make)
_attributes(Chain, "rate")
_attributes(Options, "rate")
_attributes(lambda: lambda: None)


def _hidden(read: Callable[[Own], Any]) -> None:
    def holder() -> tuple[Get, Put]:
        hidden = deque([1.0])
        own = Own(hidden)
        return lambda: read(own), lambda v: operator.setitem(hidden, 0, v)

    HOLDERS.append(holder)


for _read in (
    lambda own: own.anything,
    lambda own: own[0],
    lambda own: own(),
    float,
    lambda own: float(operator.index(own)),
    lambda own: own * 1.0,
    lambda own: 2.0 if 2.0 in own else 3.0 if 3.0 in own else 1.0,
    lambda own: next(iter(own)),
    lambda own: sum(own),
    lambda own: max(*own, 0.0),
):
    _hidden(_read)


@_holder
def _with_statement() -> tuple[Get, Put]:
    hidden = deque([1.0])
    own = Own(hidden)

    def get() -> float:
        with own as v:
            return v  # type: ignore[no-any-return]

    return get, lambda v: operator.setitem(hidden, 0, v)


@_holder
def _set() -> tuple[Get, Put]:
    kept = {1.0}

    def put(v: float) -> None:
        kept.clear()
        kept.add(v)

    return lambda: 2.0 if 2.0 in kept else 3.0 if 3.0 in kept else 1.0, put


@_holder
def _context_variable() -> tuple[Get, Put]:
    kept = contextvars.ContextVar(f"kept{next(_fresh)}", default=1.0)
    return kept.get, kept.set


@_holder
def _environment() -> tuple[Get, Put]:
    name = f"AUTOGRAD_SPIRAL_TEST_{next(_fresh)}"
    return lambda: float(os.environ.get(name, "1")), lambda v: os.environ.__setitem__(name, str(v))


@_holder
def _globals() -> tuple[Get, Put]:
    name = f"GLOBAL_{next(_fresh)}"
    globals()[name] = 1.0
    return lambda: globals()[name], lambda v: globals().__setitem__(name, v)


GLOBAL = 1.0


@_holder
def _global() -> tuple[Get, Put]:
    globals()["GLOBAL"] = 1.0
    return lambda: GLOBAL, lambda v: globals().__setitem__("GLOBAL", v)


@_holder
def _module_by_import() -> tuple[Get, Put]:
    module = sys.modules["settings_of_a_test"] = types.ModuleType("settings_of_a_test")
    module.v = 1.0  # type: ignore[attr-defined]

    def get() -> float:
        from settings_of_a_test import v  # type: ignore[import-not-found]

        return v  # type: ignore[no-any-return]

    return get, lambda v: setattr(module, "v", v)


@_holder
def _library_by_import() -> tuple[Get, Put]:
    import json

    json.V = 1.0  # type: ignore[attr-defined]

    def get() -> float:
        import json

        return json.V  # type: ignore[attr-defined, no-any-return]

    return get, lambda v: setattr(json, "V", v)


@_holder
def _cell() -> tuple[Get, Put]:
    kept = 1.0

    def put(v: float) -> None:
        nonlocal kept
        kept = v

    return lambda: kept, put


@_holder
def _defaults() -> tuple[Get, Put]:
    def get(v: float = 1.0) -> float:
        return v

    return get, lambda v: setattr(get, "__defaults__", (v,))


@_holder
def _keyword_defaults() -> tuple[Get, Put]:
    def get(*, v: float = 1.0) -> float:
        return v

    return get, lambda v: setattr(get, "__kwdefaults__", {"v": v})


@_holder
def _code() -> tuple[Get, Put]:
    def get() -> float:
        return 1.0

    codes = {1.0: get.__code__, 2.0: (lambda: 2.0).__code__, 3.0: (lambda: 3.0).__code__}
    return get, lambda v: setattr(get, "__code__", codes[v])


@_holder
def _class_of_an_object() -> tuple[Get, Put]:
    classes = {v: type("Of", (), {"v": v, "read": lambda self, v=v: v}) for v in (1.0, 2.0, 3.0)}
    kept = classes[1.0]()
    return lambda: kept.read(), lambda v: setattr(kept, "__class__", classes[v])


@_holder
def _patched_method() -> tuple[Get, Put]:
    kind = type("Kind", (), {"read": lambda self: 1.0})
    kept = kind()
    return lambda: kept.read(), lambda v: setattr(kind, "read", lambda self: v)  # type: ignore[attr-defined]


@_holder
def _patched_property() -> tuple[Get, Put]:
    kind = type("Kind", (), {"v": property(lambda self: 1.0)})
    kept = kind()
    return lambda: kept.v, lambda v: setattr(kind, "v", property(lambda self: v))  # type: ignore[attr-defined]


@_holder
def _property() -> tuple[Get, Put]:
    class Kind:
        _v = 1.0

        @property
        def v(self) -> float:
            return self._v

    kept = Kind()
    return lambda: kept.v, lambda v: setattr(kept, "_v", v)


@_holder
def _descriptor() -> tuple[Get, Put]:
    hidden = deque([1.0])
    kept = type("Kind", (), {"v": Descriptor(hidden)})()
    return lambda: kept.v, lambda v: operator.setitem(hidden, 0, v)


@_holder
def _metaclass() -> tuple[Get, Put]:
    class Meta(type):
        amount = 1.0

        @property
        def v(cls) -> float:
            return cls.amount

    kept = Meta("Kept", (), {})
    return lambda: kept.v, lambda v: setattr(Meta, "amount", v)


@_holder
def _vars() -> tuple[Get, Put]:
    kept = SimpleNamespace(v=1.0)
    return lambda: vars(kept)["v"], lambda v: setattr(kept, "v", v)


@_holder
def _attrgetter() -> tuple[Get, Put]:
    kept = SimpleNamespace(v=1.0)
    return lambda: operator.attrgetter("v")(kept), lambda v: setattr(kept, "v", v)


@_holder
def _in_a_long_list() -> tuple[Get, Put]:
    kept = [SimpleNamespace(v=1.0) for _ in range(70)]
    return lambda: kept[1].v, lambda v: setattr(kept[1], "v", v)


@_holder
def _nested() -> tuple[Get, Put]:
    kept = Config()
    return lambda: kept.nested["a"]["b"], lambda v: kept.nested["a"].__setitem__("b", v)


@_holder
def _named_tuple() -> tuple[Get, Put]:
    kept = [Triple(1.0)]
    return lambda: kept[0].value(), lambda v: operator.setitem(kept, 0, kept[0]._replace(v=v))


@_holder
def _frozen() -> tuple[Get, Put]:
    kept = {"config": Frozen()}
    return lambda: kept["config"].v, lambda v: kept.update(config=replace(kept["config"], v=v))


@_holder
def _proxy() -> tuple[Get, Put]:
    kept = {"v": 1.0}
    proxy = MappingProxyType(kept)
    return lambda: proxy["v"], lambda v: kept.update(v=v)


@_holder
def _weakly() -> tuple[Get, Put]:
    kept = Plain()
    kept.v = 1.0  # type: ignore[attr-defined]
    reference = weakref.ref(kept)
    return lambda: reference().v, lambda v: setattr(kept, "v", v)  # type: ignore[union-attr]


@_holder
def _weak_keys() -> tuple[Get, Put]:
    key = Plain()
    kept = weakref.WeakKeyDictionary({key: 1.0})
    return lambda: kept[key], lambda v: kept.update({key: v})


@_holder
def _partial() -> tuple[Get, Put]:
    kept = functools.partial(float, 1.0)
    return lambda: kept(), lambda v: kept.__setstate__((float, (v,), {}, {}))


@_holder
def _registry() -> tuple[Get, Put]:
    @functools.singledispatch
    def read(x: Any) -> float:
        return 1.0

    return lambda: read(1), lambda v: read.register(int, lambda x: v)


@_holder
def _text() -> tuple[Get, Put]:
    kept = io.StringIO("1.0")

    def put(v: float) -> None:
        kept.seek(0)
        kept.write(str(v))

    return lambda: float(kept.getvalue()), put


@_holder
def _generator_that_waits() -> tuple[Get, Put]:
    def waiting() -> Iterator[float]:
        v = 1.0
        while True:
            sent = yield v
            v = v if sent is None else sent

    kept: Any = waiting()
    next(kept)
    return lambda: next(kept), kept.send


@_holder
def _exact_numbers() -> tuple[Get, Put]:
    kept: list[Any] = [Decimal("1")]
    return lambda: float(kept[0]), lambda v: operator.setitem(kept, 0, Decimal(v))


@_holder
def _fraction() -> tuple[Get, Put]:
    kept = Plain()
    kept.v = Fraction(1)  # type: ignore[attr-defined]
    return lambda: float(kept.v), lambda v: setattr(kept, "v", Fraction(v))  # type: ignore[attr-defined]


@_holder
def _pattern() -> tuple[Get, Put]:
    class Point:
        __match_args__ = ("a", "b")

        def __init__(self) -> None:
            self.a, self.b = 1.0, 5.0

    kept = Point()

    def get() -> float:
        match kept:
            case Point(v, 5.0):
                return v
        return 0.0

    return get, lambda v: setattr(kept, "a", v)


@_holder
def _mapping_pattern() -> tuple[Get, Put]:
    kept = {"outer": {"inner": [1.0]}}

    def get() -> float:
        match kept:
            case {"outer": {"inner": [v, *_]}}:
                return v
        return 0.0

    return get, lambda v: kept["outer"]["inner"].__setitem__(0, v)


@_holder
def _enum_value() -> tuple[Get, Put]:
    kept = Plain()
    kept.level = Level.LOW  # type: ignore[attr-defined]

    def put(v: float) -> None:
        kept.level = Level.HIGH if v > 1 else Level.LOW  # type: ignore[attr-defined]

    return lambda: float(kept.level.value), put  # type: ignore[attr-defined]


@_holder
def _length() -> tuple[Get, Put]:
    kept: Any = deque([0])
    return lambda: float(len(kept)), lambda v: (kept.clear(), kept.extend([0] * int(v)))


@_holder
def _static() -> tuple[Get, Put]:
    class Kind:
        @staticmethod
        def read() -> float:
            return 1.0

    return lambda: Kind.read(), lambda v: setattr(Kind, "read", staticmethod(lambda: v))


@_holder
def _class_method() -> tuple[Get, Put]:
    class Kind:
        v = 1.0

        @classmethod
        def read(cls) -> float:
            return cls.v

    kept = type("Sub", (Kind,), {})()
    return lambda: kept.read(), lambda v: setattr(Kind, "v", v)


# --- through what it is read ----------------------------------------------------------------------------------------


@_wrapper
def _by_lambda(get: Get) -> Get:
    return lambda: get()


@_wrapper
def _by_partial(get: Get) -> Get:
    return functools.partial(lambda get, scale: get() * scale, get, scale=1.0)


@_wrapper
def _wrapped(get: Get) -> Get:
    @functools.wraps(get)
    def wrapper() -> float:
        return get()

    return wrapper


@_wrapper
def _wrapped_blindly(get: Get) -> Get:
    hidden = deque([get])
    return lambda: hidden[0]()


@_wrapper
def _without_gradients(get: Get) -> Get:
    @no_grad()
    def read() -> float:
        return get()

    return read


@_wrapper
def _in_a_scope(get: Get) -> Get:
    @scope("reading")
    def read() -> float:
        return get()

    return read


@_wrapper
def _by_context_manager(get: Get) -> Get:
    @contextlib.contextmanager
    def value() -> Iterator[float]:
        yield get()

    def read() -> float:
        with value() as v:
            return v

    return read


@_wrapper
def _by_exit_stack(get: Get) -> Get:
    def read() -> float:
        found = []
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: found.append(get()))
        return found[0]

    return read


@_wrapper
def _by_class_decorator(get: Get) -> Get:
    class Decorated:
        def __init__(self, function: Get) -> None:
            self.function = function

        def __call__(self) -> float:
            return self.function()

    return Decorated(get)


@_wrapper
def _by_generator(get: Get) -> Get:
    def values() -> Iterator[float]:
        yield from (get() for _ in range(2))

    return lambda: next(values())


@_wrapper
def _by_coroutine(get: Get) -> Get:
    async def read() -> float:
        return get()

    def run() -> float:
        try:
            read().send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise AssertionError

    return run


@_wrapper
def _by_comprehension(get: Get) -> Get:
    return lambda: {k: v for k, v in [("a", get())]}["a"]


@_wrapper
def _by_map(get: Get) -> Get:
    return lambda: max(map(lambda _: get(), range(2)))


@_wrapper
def _by_reduce(get: Get) -> Get:
    return lambda: functools.reduce(lambda a, b: b * get(), [0.0, 1.0])


@_wrapper
def _by_method(get: Get) -> Get:
    class Reader:
        def read(self) -> float:
            return get()

    return Reader().read


@_wrapper
def _by_methodcaller(get: Get) -> Get:
    reader = SimpleNamespace(read=get)
    return lambda: operator.methodcaller("read")(reader)


@_wrapper
def _by_property(get: Get) -> Get:
    reader = type("Reader", (), {"v": property(lambda self: get())})()
    return lambda: reader.v


@_wrapper
def _by_cached_property(get: Get) -> Get:
    class Reader:
        @functools.cached_property
        def v(self) -> float:
            return get()

    return lambda: Reader().v


@_wrapper
def _by_super(get: Get) -> Get:
    class Base:
        def read(self) -> float:
            return get()

    class Derived(Base):
        def read(self) -> float:
            return super().read()

    derived = Derived()
    return lambda: derived.read()


@_wrapper
def _by_missing(get: Get) -> Get:
    class Missing(dict[str, Any]):
        def __missing__(self, key: str) -> float:
            return get()

    missing = Missing()
    return lambda: missing["v"]


@_wrapper
def _by_own_object(get: Get) -> Get:
    class Lazy(Sequence1):
        def __getitem__(self, index: Any) -> float:
            return get()

    lazy = Lazy()
    return lambda: lazy[0]


class Sequence1:
    def __len__(self) -> int:
        return 1


@_wrapper
def _by_exception(get: Get) -> Get:
    def read() -> float:
        try:
            raise ValueError(get())
        except ValueError as error:
            return error.args[0]  # type: ignore[no-any-return]

    return read


@_wrapper
def _by_text(get: Get) -> Get:
    return lambda: float(f"{get():.1f}")


@_wrapper
def _by_eval(get: Get) -> Get:
    return lambda: eval("get()", {"get": get})  # type: ignore[no-any-return]


@_wrapper
def _by_dispatch(get: Get) -> Get:
    @functools.singledispatch
    def read(x: Any) -> float:
        return 0.0

    read.register(int, lambda x: get())
    return lambda: read(3)


@_wrapper
def _by_sorting(get: Get) -> Get:
    return lambda: sorted([3.0, 2.0, 1.0], key=lambda v: abs(v - get()))[0]


@_wrapper
def _by_named_tuple(get: Get) -> Get:
    readers = Triple(0.0, get)
    return lambda: readers.rest()  # type: ignore[no-any-return]


@_wrapper
def _by_weak_method(get: Get) -> Get:
    class Reader:
        def read(self) -> float:
            return get()

    reader = Reader()
    reference = weakref.WeakMethod(reader.read)
    return lambda reader=reader: reference()()  # type: ignore[misc]


@_wrapper
def _by_cache_per_call(get: Get) -> Get:
    def read() -> float:
        return functools.lru_cache(lambda: get())()

    return read


@_wrapper
def _by_context(get: Get) -> Get:
    return lambda: contextvars.copy_context().run(get)


@_wrapper
def _by_chain(get: Get) -> Get:
    return lambda: next(itertools.islice(itertools.starmap(get, itertools.repeat(())), 1, 2))


# --- in plain sight -------------------------------------------------------------------------------------------------


SEEN_HOLDERS: list[Callable[[], tuple[Get, Put]]] = [
    _global,
    _module_by_import,
    _cell,
    _defaults,
    _keyword_defaults,
    _code,
    _class_of_an_object,
    _patched_method,
    _property,
    _patched_property,
    _nested,
    _named_tuple,
    _frozen,
    _partial,
    _exact_numbers,
    _fraction,
    _mapping_pattern,
    _enum_value,
    _static,
    _class_method,
]
"""Those whose changes guards see, so that they are followed at once."""

_UNSEEN: list[Callable[[Get], Get]] = [
    _wrapped_blindly,
    _by_methodcaller,
    _by_cached_property,
    _by_missing,
    _by_own_object,
    _by_dispatch,
    _by_weak_method,
]
SEEN_WRAPPERS = [wrapper for wrapper in WRAPPERS if wrapper not in _UNSEEN]
"""Those through which guards see."""
