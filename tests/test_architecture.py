"""The rooms and floors of the design, read from the source: who may import whom, and what nobody may write."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from django.core.management import load_command_class

from alphapulse_site.celery import ROUTES, app

ROOT = Path(__file__).resolve().parents[1]
# From the ground floor up: an import runs downward.
APPS = ("alphapulse_site", "ingestion", "signals", "learning", "analytics")

PURE = (
    *("ingestion.timeframes", "ingestion.symbols", "ingestion.csv_rows"),
    *("ingestion.feeds", "ingestion.feed_rows", "ingestion.feed_plan", "ingestion.kline", "ingestion.kline_pages"),
    *("ingestion.refused", "ingestion.revisions", "ingestion.universe"),
    *(f"ingestion.stream.{name}" for name in ("exchange_time", "frames", "pace", "plan")),
    *(f"ingestion.exchange.{name}" for name in ("dialogue", "distortions", "frames", "info", "intervals", "listings")),
    *(f"ingestion.exchange.{name}" for name in ("readings", "running", "series", "tickers")),
    *("signals.indicators", "signals.indicators.*", "signals.heads", "signals.heads.*", "signals.mood"),
    *("signals.columns", "signals.digests", "signals.feeds"),
    *("signals.mood_feed", "signals.consensus", "signals.gates", "signals.regime", "signals.bracket"),
    *("signals.first_touch", "signals.scan", "signals.window", "signals.portfolio", "signals.version"),
    *("signals.explanation", "signals.segments", "signals.frame", "signals.derivatives", "signals.alt_season"),
    *("learning.betting", "learning.calendar", "learning.calibration", "learning.candidates", "learning.config"),
    *("learning.daily", "learning.drift", "learning.effect", "learning.evaluation", "learning.events"),
    *("learning.follow", "learning.labels", "learning.story"),
    *("learning.layers", "learning.learner", "learning.lessons", "learning.logistic", "learning.mixture"),
    *("learning.nightly", "learning.procedure", "learning.promotion", "learning.school", "learning.state"),
    *("learning.step", "learning.structure", "learning.walk", "learning.weekly", "learning.spells", "learning.views"),
    *("learning.head_looks", "learning.head_measures", "learning.head_report"),
    *("learning.gate_days", "learning.proposals", "learning.stated", "learning.student", "learning.twins"),
    *("learning.planted", "learning.planted.*"),
    *(f"learning.evaluating.{name}" for name in ("course", "gates", "paths", "period", "permuting", "report")),
    *(f"learning.evaluating.{name}" for name in ("rivals", "scores", "sharpe", "verdict")),
    *(f"analytics.notifications.{name}" for name in ("addresses", "events", "kinds", "quiet", "signing", "waiting")),
    *("analytics.notifications.words", "analytics.reports.periods", "analytics.reports.words"),
)
# What the pure core may import beside itself: arithmetic and plain data, nothing that knows the time, the machine or
# chance. `datetime` is there for calendar arithmetic; reading its clock is refused below.
PURE_LIBRARIES = {
    *("numpy", "talib", "math", "statistics", "bisect", "itertools", "functools", "collections", "dataclasses"),
    *("enum", "typing", "datetime", "uuid", "hashlib", "zlib", "json", "re", "struct", "zoneinfo", "inspect"),
    *("base64", "binascii", "hmac", "ipaddress"),
}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "process_time"}

# Floors inside an app: pure core < models < what only reads or translates < services < outer doors.
MODELS = ("*.models", "signals.decided_scan")
READERS = (
    *("*.selectors", "*.selectors.*", "ingestion.candles", "ingestion.changes", "ingestion.holes"),
    *("ingestion.partitions", "learning.outcomes"),
    *("signals.configuration", "signals.rows", "signals.windows", "signals.explained", "learning.refusals"),
)
DOORS = (
    *(
        "*.tasks",
        "*.management.*",
        "*.admin",
        "*.admin_site",
        "*.admin_app",
        "*.api",
        "*.api.*",
        "*.urls",
        "*.apps",
        "*.wsgi",
    ),
    *("analytics.dashboard", "analytics.dashboard.*", "analytics.templatetags.*"),
)

# What another app may use beside the pure core, models and selectors: module -> (names, reason).
FRAME = (
    "acts",
    "admin",
    "arguments",
    "broker",
    "celery",
    "clock",
    "copying",
    "hints",
    "jobs",
    "lease",
    "log_context",
    "models",
    "pages",
    "parking",
    "snapshots",
)
ALSO_PUBLIC: dict[str, tuple[set[str], str]] = {
    "ingestion.bars": ({"load_bars"}, "reads bars as arrays; what it keeps on the way says what the candles say"),
    "ingestion.candles": (
        {"load_candles", "load_many", "to_ms", "to_datetime", "EPOCH"},
        "reads the candle table as arrays: the selector of a table too long for row objects",
    ),
    "ingestion.changes": (
        {"changes_to"},
        "what happened to candles after they were used: reads only",
    ),
    "ingestion.csv_format": (
        {"load_recording", "CandleFileError"},
        "replay reads candle files where there is no database; reading a file changes nothing",
    ),
    "ingestion.partitions": ({"ensure_partitions"}, "scan_history is partitioned by the same months as candles"),
    "signals.configuration": ({"rules", "scan_timeframe"}, "the rules in force: settings read, nothing done"),
    "signals.rows": (
        {
            *("scan_rows", "tracked_rows", "judged_from", "order_of", "set_outcome", "set_mirror_outcome"),
            *("to_ms", "to_time", "OUTCOME_COLUMNS", "MIRROR_COLUMNS"),
        },
        "the one translation between decisions and their rows, shared by live, bootstrap and certify",
    ),
    "signals.explained": (
        {"ExplainedScan", "explained_scan"},
        "what a stored scan says, in words: reads one row, and its candles",
    ),
    "signals.windows": (
        {"all_readings", "external_of", "season_of", "feeds_at", "segments_at"},
        "what a scan sees of the stored candles and feeds, for those who make it again",
    ),
    "signals.decided_scan": ({"DecidedScan"}, "a model over scan_history, which its page in the admin reads"),
    "ingestion.admin": (
        {"SymbolFilter"},
        "a filter of lists: an admin page is an outer door, and no work is done in it",
    ),
    "signals.admin": (
        {"LedgerAdmin", "NEW_LINE", "NOTHING", "ReasonFilter", "WHERE", "decision_links", "surroundings", "table"},
        "pages of one look: an admin page is an outer door, and no work is done in it",
    ),
    "learning.refusals": (
        {"BARRIERS", "GOOD", "MISSED", "Held", "counted", "read_days"},
        "counts what was refused as the daily table does: reads only",
    ),
    "learning.by_hand": (
        {"rollback", "pin", "freeze", "release", "held_by"},
        "what a person may do to versions: the admin, the API and the dashboard are doors to the same acts",
    ),
    "learning.versions": ({"VersionError"}, "what those acts refuse with"),
    "learning.why": ({"account_of"}, "what is known of a version, which its page tells in words: reads only"),
    "learning.head_plots": ({"Whisker", "whiskers"}, "draws a plot of figures it is given: one place for our SVG"),
    "learning.evaluating.plots": ({"lines"}, "the same"),
    "learning.chains": ({"verify_chain"}, "the doctor recomputes the hash chains with the code that made them"),
}
# (module, what it looks up at): the only two, by design. urls.py names the apps' pages by string.
UPWARD = {("signals.tasks", "learning.selectors")}

LONGEST_FILE, LONGEST_FUNCTION, BROAD_EXCEPTS = 400, 50, 3
EMPTY_WORD = re.compile(r"(^|_)(enhanced|advanced|simple|final|new|old|v2|utils?|helpers?|manager|misc|stuff)(_|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|placeholder|NotImplementedError)\b")
# Commands of the design that this version has, and those it adds beside them.
COMMANDS = {
    "alphapulse_site": ("up", "prepare", "heartbeat", "parked"),
    "ingestion": ("import_candles", "exchange", "stream", "backfill"),
    "learning": (
        *("replay", "certify", "audit", "why", "bootstrap", "learn", "heads", "planted", "evaluate"),
        *("rollback", "pin", "freeze", "release"),
    ),
    "analytics": ("notify", "doctor", "token"),
}


@dataclass(frozen=True, eq=False)
class Module:
    """One source file of ours; `name` is dotted, a package's is that of its folder."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def app(self) -> str:
        return self.name.split(".")[0]


@dataclass(frozen=True)
class Use:
    """One import: which module of whatever origin, and which name in it (empty for the module itself)."""

    module: str
    name: str


@cache
def modules() -> tuple[Module, ...]:
    return tuple(_module(path) for app_name in APPS for path in sorted((ROOT / app_name).rglob("*.py")) if _ours(path))


def _ours(path: Path) -> bool:
    return "migrations" not in path.parts


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    text = path.read_text(encoding="utf-8")
    return Module(".".join(parts).removesuffix(".__init__"), path, text, ast.parse(text))


@cache
def uses(module: Module) -> tuple[Use, ...]:
    """Everything the module imports, also inside functions."""
    return tuple(_uses(module))


def _uses(module: Module) -> Iterator[Use]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Use(alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield Use(inner, "") if _exists(inner) else Use(source, alias.name)


def _exists(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return name.split(".")[0] in APPS and (place.with_suffix(".py").exists() or place.is_dir())


def among(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


@cache
def floor(name: str) -> int:
    if among(name, PURE):
        return 0
    if among(name, MODELS):
        return 1
    if among(name, READERS):
        return 2
    return 4 if among(name, DOORS) else 3


def is_public(use: Use) -> bool:
    """Whether another app may use it."""
    app_name, _, rest = use.module.partition(".")
    if app_name == "alphapulse_site":
        return rest in FRAME
    if floor(use.module) == 0 or use.module in (f"{app_name}.models", f"{app_name}.selectors"):
        return True
    names, _ = ALSO_PUBLIC.get(use.module, (set(), ""))
    return use.name in names


def broken(rule: Callable[[Module, Use], bool]) -> list[str]:
    """The imports that do not keep a rule."""
    return [
        f"{module.name} -> {use.module} {use.name}" for module in modules() for use in uses(module) if rule(module, use)
    ]


def places(found: Callable[[Module, ast.AST], bool]) -> list[str]:
    """Where in the source something stands."""
    return [
        f"{module.name}:{getattr(node, 'lineno', 0)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if found(module, node)
    ]


def test_every_room_was_read() -> None:
    assert {module.app for module in modules()} == set(APPS)
    assert len(modules()) > 100


def test_imports_between_apps_run_downward() -> None:
    def goes_up(module: Module, use: Use) -> bool:
        other = use.module.split(".")[0]
        allowed = (module.name, use.module) in UPWARD
        return other in APPS and APPS.index(other) > APPS.index(module.app) and not allowed

    assert broken(goes_up) == []


def test_the_two_looks_upward_are_still_the_ones_of_the_design() -> None:
    looks = {(module.name, use.module) for module in modules() for use in uses(module)}
    urls = next(module for module in modules() if module.name == "alphapulse_site.urls")

    assert looks >= UPWARD
    assert "analytics.urls" in urls.text


def test_an_app_uses_models_and_selectors_of_another_but_not_its_services() -> None:
    def is_private(module: Module, use: Use) -> bool:
        other = use.module.split(".")[0]
        return other in APPS and other != module.app and not is_public(use)

    assert broken(is_private) == []


def test_every_exception_to_that_is_still_used() -> None:
    used = {
        (use.module, use.name) for module in modules() for use in uses(module) if use.module.split(".")[0] != module.app
    }

    assert [
        module for module, (names, _) in ALSO_PUBLIC.items() if not any((module, name) in used for name in names)
    ] == []


def test_inside_an_app_imports_run_down_the_floors() -> None:
    def climbs(module: Module, use: Use) -> bool:
        return use.module.split(".")[0] == module.app and floor(use.module) > floor(module.name)

    assert broken(climbs) == []


def test_nobody_imports_a_task() -> None:
    assert broken(lambda module, use: use.module.split(".")[0] in APPS and among(use.module, ("*.tasks",))) == []


def test_tasks_use_services_and_selectors_only() -> None:
    """No ORM, no arithmetic, no pure core in a task: it calls, and names the models it calls for."""

    def does_more(module: Module, use: Use) -> bool:
        if not among(module.name, ("*.tasks",)) or use.module in ("celery", "datetime"):
            return False
        other = use.module.split(".")[0]
        return other not in APPS or floor(use.module) not in (1, 2, 3)

    assert broken(does_more) == []


def test_the_pure_core_imports_numpy_talib_and_itself_only() -> None:
    def is_impure(module: Module, use: Use) -> bool:
        own = floor(use.module) == 0 and use.module.split(".")[0] in APPS
        return floor(module.name) == 0 and not own and use.module.split(".")[0] not in PURE_LIBRARIES

    assert broken(is_impure) == []


def test_the_pure_core_reads_no_clock_and_draws_no_chance() -> None:
    def is_clock_or_chance(module: Module, node: ast.AST) -> bool:
        if floor(module.name) != 0 or not isinstance(node, ast.Attribute):
            return False
        base = ast.unparse(node.value)
        clock = node.attr in CLOCKS and base in ("datetime", "date", "datetime.datetime", "datetime.date", "time")
        # A generator with its seed written down is arithmetic; anything else of numpy's random is chance.
        return clock or (base in ("np.random", "numpy.random") and node.attr not in ("default_rng", "Generator"))

    def is_unseeded(module: Module, node: ast.AST) -> bool:
        called = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng")
        return called and floor(module.name) == 0 and not getattr(node, "args", None)

    assert places(is_clock_or_chance) == []
    assert places(is_unseeded) == []


def test_what_calls_itself_pure_is_held_to_it() -> None:
    claims = [
        module.name for module in modules() if re.search(r"\bPure( numpy)?\.", ast.get_docstring(module.tree) or "")
    ]

    assert [name for name in claims if floor(name) != 0] == []


def test_mypy_is_strict_on_the_pure_core() -> None:
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    strict = {name for entry in overrides if entry.get("disallow_untyped_defs") for name in entry["module"]}

    # mypy's `package.*` covers the package itself.
    assert {name for name in PURE if f"{name}.*" not in PURE} == strict


def test_broad_excepts_stay_within_the_budget() -> None:
    def is_broad(module: Module, node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        return node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")

    assert len(places(is_broad)) <= BROAD_EXCEPTS, places(is_broad)


def test_no_bare_save() -> None:
    def is_bare(module: Module, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "save"
            and not node.args
            and not node.keywords
        )

    assert places(is_bare) == []


def test_nothing_is_unfinished() -> None:
    assert [module.name for module in modules() if UNFINISHED.search(module.text)] == []


def test_files_and_functions_stay_short() -> None:
    def is_long(module: Module, node: ast.AST) -> bool:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.end_lineno is None:
            return False
        return node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION

    assert [module.name for module in modules() if module.text.count("\n") > LONGEST_FILE] == []
    assert places(is_long) == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [module.name for module in modules() if EMPTY_WORD.search(module.path.stem)] == []


def test_every_route_leads_to_a_task() -> None:
    app.loader.import_default_modules()

    assert [route for route in ROUTES if not any(fnmatch(task, route) for task in app.tasks)] == []


def test_the_commands_are_those_of_the_design() -> None:
    found = {
        name: {path.stem for path in (ROOT / name / "management" / "commands").glob("[a-z]*.py")} for name in COMMANDS
    }

    assert found == {name: set(commands) for name, commands in COMMANDS.items()}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in COMMANDS.items() for name in names])
def test_every_command_explains_itself_with_an_example(owner: str, name: str) -> None:
    said = load_command_class(owner, name).create_parser("manage.py", name).format_help()

    assert re.search(rf"[Ee]xample:\s+manage\.py\s+{name}\b", said), said
