"""A strategy's class as if its file had just been read, so that nothing is left of an earlier run."""

import importlib.util
import sys

from manjha.strategy.interface import Strategy


def fresh_class(found: type[Strategy]) -> type[Strategy]:
    """Return the class out of a new run of its file; the class itself where it has no file or the file cannot be run.

    Variables of the module and of its classes are as at the start. What other modules hold is not made anew.
    """
    module = sys.modules.get(found.__module__)
    path = getattr(module, "__file__", None)
    if path is None or "<locals>" in found.__qualname__:
        return found
    name = f"{found.__module__}_anew"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        return found
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    try:
        spec.loader.exec_module(made)
        fresh = getattr(made, found.__qualname__, found)
    except Exception:  # noqa: BLE001 - a user's file may raise anything, and ran before
        return found
    finally:
        sys.modules.pop(name, None)
    return fresh if isinstance(fresh, type) and issubclass(fresh, Strategy) else found
