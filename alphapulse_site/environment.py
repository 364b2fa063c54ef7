"""Typed reads of the environment. Each refuses nonsense with one sentence that says which variable and what to do."""

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psycopg2
from django.core.exceptions import ImproperlyConfigured
from psycopg2.extensions import parse_dsn

REDIS_SCHEMES = ("redis", "rediss", "redis+socket")
RABBITMQ_SCHEMES = ("amqp", "amqps")
EXAMPLE_WORDS = ("change", "example", "secret", "password", "insecure", "your-", "<")
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


def text(name: str, default: str | None = None) -> str:
    """The variable without surrounding blanks; an empty one counts as not set."""
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. Set it in the environment and start again.")
    return value


def flag(name: str, default: bool) -> bool:
    """True or false, from the usual words."""
    word = text(name, str(default)).lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name}={word!r} is neither yes nor no. Set it to 1 or 0.")


def whole_number(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """An integer between two limits, both allowed."""
    value = text(name, str(default))
    if not value.lstrip("-").isdecimal() or not minimum <= int(value) <= maximum:
        raise ImproperlyConfigured(f"{name}={value!r} must be a whole number from {minimum} to {maximum}.")
    return int(value)


def number(name: str, default: float, *, minimum: float, maximum: float) -> float:
    """A finite number between two limits, both allowed."""
    value = text(name, repr(default))
    try:
        # NaN compares false with both limits, so it is refused here too.
        if minimum <= float(value) <= maximum:
            return float(value)
    except ValueError:
        pass
    raise ImproperlyConfigured(f"{name}={value!r} must be a number from {minimum:g} to {maximum:g}.")


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """One of a closed list of words."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is not known. Choose one of: {', '.join(choices)}.")
    return value


def path(name: str, default: Path) -> Path:
    """An absolute path; a relative one counts from the current directory."""
    return Path(text(name, str(default))).expanduser().absolute()


def names(name: str, default: Sequence[str]) -> list[str]:
    """A list separated by commas."""
    found = [part.strip() for part in text(name, ",".join(default)).split(",") if part.strip()]
    if any(len(part.split()) > 1 for part in found):
        raise ImproperlyConfigured(f"{name} must be separated by commas, not by blanks.")
    return found


def database(name: str, default: str | None = None) -> dict[str, object]:
    """Django's database settings from a PostgreSQL URL, read by libpq's own parser, so every libpq option works."""
    url = text(name, default)
    if not url.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(f"{name} must start with postgresql://: AlphaPulse runs on PostgreSQL only.")
    try:
        parts = parse_dsn(url)
    except psycopg2.ProgrammingError as error:
        raise ImproperlyConfigured(f"{name} is not a PostgreSQL URL: {str(error).strip()}.") from error
    if not parts.get("port", "5432").isdecimal():
        raise ImproperlyConfigured(f"{name} has port {parts['port']!r}, which is not a number.")
    if "dbname" not in parts:
        raise ImproperlyConfigured(f"{name} names no database. Write postgresql://user:password@host:5432/database.")
    known = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    settings: dict[str, object] = {key: parts.pop(part, "") for key, part in known.items()}
    return settings | {"ENGINE": "django.db.backends.postgresql", "OPTIONS": parts}


def redis(name: str, default: str | None = None) -> str:
    """A Redis or Valkey URL in the form Celery reads; empty where it may be, and nobody has set one."""
    return _of_scheme(name, text(name, default), REDIS_SCHEMES)


def broker(name: str, default: str) -> str:
    """The URL of a broker: Redis or Valkey, or RabbitMQ."""
    return _of_scheme(name, text(name, default), (*REDIS_SCHEMES, *RABBITMQ_SCHEMES))


def _of_scheme(name: str, url: str, schemes: Sequence[str]) -> str:
    if url and urlsplit(url).scheme not in schemes:
        raise ImproperlyConfigured(f"{name} must start with one of: {', '.join(s + '://' for s in schemes)}.")
    return url


def rabbitmq_is_chosen() -> bool:
    """Whether messages go through RabbitMQ. Asked before there are settings, since these need the queues' package."""
    return urlsplit(text("ALPHAPULSE_BROKER_URL", "")).scheme in RABBITMQ_SCHEMES


def cache_url(broker_url: str) -> str:
    """The same server in the form that Django's cache reads."""
    parts = urlsplit(broker_url)
    if parts.scheme != "redis+socket":
        return broker_url
    return f"unix://{parts.path}?db={dict(parse_qsl(parts.query)).get('virtual_host', '0')}"


def web_url(name: str, default: str, schemes: Sequence[str] = ("https", "http")) -> str:
    """The address of a web service; empty if there is none."""
    url = text(name, default)
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_address = False
    if url and not is_address:
        raise ImproperlyConfigured(
            f"{name}={url!r} is no web address. Write {schemes[0]}://host or {schemes[-1]}://host:port."
        )
    return url


def secret(name: str) -> str:
    """A secret from NAME, or from the file that NAME_FILE points to; an example value is refused."""
    file_name = os.environ.get(f"{name}_FILE", "").strip()
    if not file_name:
        return _refuse_example(name, text(name))
    return _refuse_example(f"{name}_FILE", _read(f"{name}_FILE"))


def secrets_named(prefix: str) -> dict[str, str]:
    """Every variable that begins so, by its name; NAME_FILE stands for NAME and holds the path of a file."""
    found = {}
    for name in sorted(os.environ):
        plain = name.removesuffix("_FILE")
        if plain.startswith(prefix) and os.environ[name].strip():
            found[plain] = _read(name) if plain != name else os.environ[name].strip()
    return found


def _read(name: str) -> str:
    try:
        return Path(os.environ[name].strip()).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}={os.environ[name]!r} cannot be read: {error.strerror}.") from error


def directory(place: Path) -> Path:
    """The directory, made if it is not there."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{place} cannot be a directory ({error.strerror}). Choose another one with --data (ALPHAPULSE_DATA)."
        ) from error
    return place


def kept_secret(file: Path, *, make: Callable[[], str] = lambda: secrets.token_urlsafe(50)) -> str:
    """A random secret made at the first start and kept in a file that only its owner can read."""
    directory(file.parent)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    if not file.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(make(), encoding="utf-8")
        # A link succeeds for one process only, and never shows a half-written file to the others.
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(fresh)
        fresh.unlink()
    return file.read_text(encoding="utf-8")


def _refuse_example(name: str, value: str) -> str:
    looks_copied = any(word in value.lower() for word in EXAMPLE_WORDS)
    if len(value) < 40 or len(set(value)) < 10 or looks_copied:
        raise ImproperlyConfigured(
            f"{name} is short, repetitive or an example value. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    return value
