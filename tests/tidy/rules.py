"""The tidy rules: each takes the root of a checkout and returns its findings, empty when all is well."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.source import Source, functions, product, sources, texts, tracked

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
FILE_BYTES_MAX = 1_000_000

EXACT_PACKAGES = ("domain", "ports", "market", "orders", "portfolio", "risk")
CORE_PACKAGES = (*EXACT_PACKAGES, "pricing", "strategy", "engine", "simulator")

BANNED_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
BANNED_NAMES = {"base", "core", "models"}

# The only functions of exact packages that may mention float, each with its reason.
FLOAT_DOORS = {
    ("domain/money.py", "px_to_float"): "the one way from a price into an indicator",
    ("domain/money.py", "px_from_float"): "the one way from a strategy's number onto the tick grid",
}
INEXACT_MODULES = {"cmath", "numba", "numpy", "pandas", "polars", "scipy", "sklearn", "statistics"}
EXACT_MATH = {"comb", "factorial", "gcd", "isqrt", "lcm", "perm", "prod"}

MODE_NAMES = {
    "is_live", "is_paper", "is_backtest", "is_simulated", "is_simulation", "is_dry_run",
    "dry_run", "live_mode", "paper_mode", "backtest_mode", "run_mode", "trading_mode",
}  # fmt: skip
MODE_WORDS = {"live", "paper", "backtest", "replay", "simulated", "dry_run", "dry-run"}

# Names of what gives access, and words beside them that say that it is something else about it.
SECRET_WORDS = {
    "secret",
    "secrets",
    "password",
    "passphrase",
    "signature",
    "hmac",
    "reveal",
    "revealed",
    "token",
    "otp",
}
NO_SECRET_WORDS = {"id", "ids", "name", "names", "count", "kind", "ns", "len", "instrument", "tokens", "type"}
# A simulated exchange guards nothing; a format's tokens are the words of a file.
WITHOUT_SECRETS = ("exchange/", "adapters/formats/")

# Modules of these folders are found by looking into the folder, so nothing imports them by name.
DISCOVERED_FOLDERS = ("strategy/library/", "adapters/sql/migrations/")
ENTRY_MODULES = {"manjha", "manjha.__main__", "manjha.app.cli"}


def long_functions(root: Path) -> list[str]:
    """Functions of more than 60 lines, their docstring not counted."""
    return [
        source.at(node, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}")
        for source in sources(root)
        for node in functions(source.tree)
        if (lines := _body_lines(node)) > FUNCTION_LINES_MAX
    ]


def long_files(root: Path) -> list[str]:
    """Python files of more than 400 lines."""
    return [
        f"{source.name}: {lines} lines, at most {FILE_LINES_MAX}"
        for source in sources(root)
        if (lines := source.text.count("\n")) > FILE_LINES_MAX
    ]


def large_files(root: Path) -> list[str]:
    """Files that bloat every clone."""
    return [
        f"{path.relative_to(root)}: {size} bytes, at most {FILE_BYTES_MAX}"
        for path in tracked(root)
        if (size := path.stat().st_size) > FILE_BYTES_MAX
    ]


def banned_names(root: Path) -> list[str]:
    """Files and folders whose name says nothing about what is inside."""
    return [
        f"{source.name}: {part!r} does not say what it holds"
        for source in sources(root)
        for part in source.name.removesuffix(".py").split("/")
        if part in BANNED_NAMES or BANNED_WORDS & set(part.split("_"))
    ]


def floats_in_exact_packages(root: Path) -> list[str]:
    """Floats, true division and inexact libraries where money is counted in integers."""
    return [
        source.at(node, f"{what} in an exact package")
        for source in product(root, *EXACT_PACKAGES)
        for node, what in _inexact(source)
    ]


def unused_doors(root: Path) -> list[str]:
    """Names on the list of float doors that no longer exist."""
    found = {(source.inside, node.name) for source in product(root) for node in functions(source.tree)}
    return [
        f"src/manjha/{file}: no function {name}; take it off FLOAT_DOORS" for file, name in FLOAT_DOORS.keys() - found
    ]


def chance_in_core(root: Path) -> list[str]:
    """numpy's generators in the core outside the simulator (the others are import contracts)."""
    return [
        source.at(node, "numpy.random outside the simulator: chance comes in as events")
        for source in product(root, *CORE_PACKAGES)
        if source.package != "simulator"
        for node in ast.walk(source.tree)
        if _is_numpy_random(node)
    ]


def mode_questions(root: Path) -> list[str]:
    """Code outside app/ that asks whether it runs live, on paper or over history."""
    findings = []
    for source in product(root):
        if source.package == "app":
            continue
        for node in ast.walk(source.tree):
            if name := _mode_name(node):
                findings.append(source.at(node, f"{name!r} asks for the mode; bootstrap chooses an adapter instead"))
            elif isinstance(node, ast.Compare) and _compares_mode(node):
                findings.append(source.at(node, "a mode is a label on records, never a branch"))
    return findings


def dead_files(root: Path) -> list[str]:
    """Modules of the product that nothing of the product imports."""
    modules = {source.module: source for source in product(root)}
    wanted = set(ENTRY_MODULES)
    for source in modules.values():
        wanted |= _imported(source) - {source.module}
    return [
        f"{source.name}: nothing imports {name}"
        for name, source in sorted(modules.items())
        if name not in wanted
        and not source.name.endswith("/__init__.py")
        and not source.inside.startswith(DISCOVERED_FOLDERS)
    ]


def missing_docstrings(root: Path) -> list[str]:
    """Public modules, classes and functions of the core without a docstring."""
    findings = []
    for source in product(root, *CORE_PACKAGES):
        if not ast.get_docstring(source.tree):
            findings.append(f"{source.name}:1: the module has no docstring")
        findings.extend(source.at(node, f"{node.name} has no docstring") for node in _undocumented(source.tree.body))
    return findings


def repeated_invariants(root: Path) -> list[str]:
    """Invariants that share their message, so that a report does not say which one broke."""
    seen: dict[str, list[str]] = defaultdict(list)
    for source in product(root):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and (message := _invariant_message(node)):
                seen[message].append(f"{source.name}:{node.lineno}")
    return [f"{', '.join(places)}: the same message {message}" for message, places in seen.items() if len(places) > 1]


def prints(root: Path) -> list[str]:
    """Calls of print outside the command line."""
    return [
        source.at(node, "print outside app/cli")
        for source in product(root)
        if not source.inside.startswith("app/cli")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def compared_secrets(root: Path) -> list[str]:
    """Secrets compared by ==, !=, in or a match: how long that takes tells how much of a guess is right."""
    return [
        source.at(node, f"{name!r} is compared: use Secret.matches or domain.secret.same")
        for source in product(root)
        if not source.inside.startswith(WITHOUT_SECRETS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Compare) and (name := _compared_secret(node))
    ]


def machine_traces(root: Path) -> list[str]:
    """Paths of one machine and hosts of package registries, in any text file."""
    return [f"{place}: {what}" for place, what in _matches(root, _MACHINE_TRACE)]


def addresses_in_locks(root: Path) -> list[str]:
    """Addresses in files that say what to install; funding links in npm's lock are no source."""
    return [
        f"{place}: {what} in a lock or its configuration"
        for place, what in _matches(root, _ADDRESS)
        if _LOCK_FILE.search(place.rsplit(":", 1)[0])
        and not re.search(r"opencollective|/sponsors/|patreon|tidelift", what)
    ]


def left_over_notes(root: Path) -> list[str]:
    """Notes for later in the source; an issue is the place for them."""
    return [
        f"{source.name}:{number}: {found[0]} in the source: open an issue"
        for source in sources(root)
        for number, line in enumerate(source.text.splitlines(), 1)
        if (found := _NOTE.search(line))
    ]


# Put together from halves, or this file would find itself.
_MACHINE_TRACE = re.compile(
    r"(?<![\w.~-])/(?:wo" + r"rk|ro" + r"ot)/[\w.-]+|/ho" + r"me/[a-z][\w.-]*/|"
    r"\b(?:py" + r"pi\.org|pythonho" + r"sted\.org|crates" + r"\.io|"
    r"regis" + r"try\.npmjs\.org|regis" + r"try\.yarnpkg\.com)\b|"
    r"--(?:extra-)?index" + r"-url|--find" + r"-links"
)  # fmt: skip
_ADDRESS = re.compile(r"(?:https?|file|git\+ssh)://\S+")
_LOCK_FILE = re.compile(r"(?:^|/)(?:requirements/.+|pyproject\.toml|package-lock\.json|package\.json|\.npmrc)$")
_NOTE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


def _matches(root: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for name, text in texts(root):
        if pattern.search(text):
            for number, line in enumerate(text.splitlines(), 1):
                if found := pattern.search(line):
                    yield f"{name}:{number}", found[0]


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[1:2] if ast.get_docstring(node) else node.body[:1]
    return (node.end_lineno or 0) - first[0].lineno + 1 if first else 0


def _inexact(source: Source) -> Iterator[tuple[ast.AST, str]]:
    pending: list[ast.AST] = [source.tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef) and (source.inside, node.name) in FLOAT_DOORS:
            continue
        if what := _inexact_node(node):
            yield node, what
        pending.extend(ast.iter_child_nodes(node))
        pending.extend(_quoted_annotations(node))


def _inexact_node(node: ast.AST) -> str:
    match node:
        case ast.Name(id="float" | "complex" as name):
            return name
        case ast.Constant(value=float() | complex()):
            return "a float literal"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return "true division (use divide or scale)"
        case ast.Attribute(value=ast.Name(id="math"), attr=attr) if attr not in EXACT_MATH:
            return f"math.{attr}"
        case ast.Import() | ast.ImportFrom():
            return _inexact_import(node)
    return ""


def _inexact_import(node: ast.Import | ast.ImportFrom) -> str:
    names = {name.name for name in node.names}
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    if module == "math":
        inexact = names - EXACT_MATH
    elif module == "operator":
        inexact = names & {"truediv", "itruediv"}
    else:
        inexact = {name.partition(".")[0] for name in ({module} if module else names)} & INEXACT_MODULES
    return f"{', '.join(sorted(inexact))} imported" if inexact else ""


def _quoted_annotations(node: ast.AST) -> Iterator[ast.AST]:
    annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
    for part in ast.walk(annotation) if isinstance(annotation, ast.AST) else ():
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield ast.copy_location(ast.parse(part.value, mode="eval").body, part)


def _compared_secret(node: ast.Compare) -> str:
    """Return the secret that a comparison is of; whether there is one at all may be asked."""
    if not all(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops):
        return ""
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Constant) and not side.value for side in sides):
        return ""
    # What a secret is looked up in, or counted by, is not compared with it.
    asked = sides[:1] if isinstance(node.ops[0], ast.In | ast.NotIn) else sides
    return next((name for side in asked if (name := _secret_name(side))), "")


def _secret_name(node: ast.AST) -> str:
    name = _last_name(node.func) if isinstance(node, ast.Call) else _last_name(node)
    words = set(name.lower().strip("_").split("_"))
    is_one = bool(words & SECRET_WORDS) and not words & NO_SECRET_WORDS and not name.isupper()
    return name if is_one else ""


def _is_numpy_random(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
            return True
        case ast.ImportFrom(module=str() as module, names=names):
            return module.startswith("numpy.random") or (
                module == "numpy" and "random" in {name.name for name in names}
            )
        case ast.Import(names=names):
            return any(name.name.startswith("numpy.random") for name in names)
    return False


def _mode_name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str() as name):
            return name if name in MODE_NAMES else ""
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name if name in MODE_NAMES else ""
    return ""


def _compares_mode(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Attribute) and _last_name(side.value) in {"Mode", "RunMode"} for side in sides):
        return True
    asked = any(_last_name(side) == "mode" for side in sides)
    words = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
    return asked and bool(words & MODE_WORDS)


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _imported(source: Source) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str() as module, names=names):
                found |= {module, *(f"{module}.{name.name}" for name in names)}
            case ast.Constant(value=str() as text) if text.startswith("manjha."):
                found.add(text.partition(":")[0])
    return found


def _undocumented(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _explained_elsewhere(node):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node.body)


def _explained_elsewhere(node: ast.stmt) -> bool:
    decorators = {_last_name(item) for item in getattr(node, "decorator_list", [])}
    return bool(decorators & {"overload", "override", "setter"})


def _invariant_message(node: ast.Call) -> str:
    position = {"InvariantBroken": 0, "invariant": 1}.get(_last_name(node.func))
    if position is None or len(node.args) <= position:
        return ""
    message = node.args[position]
    is_text = isinstance(message, ast.JoinedStr) or (
        isinstance(message, ast.Constant) and isinstance(message.value, str)
    )
    return ast.unparse(message) if is_text else ""
