"""Where everything of one installation lies, and the addresses that follow from it."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

DATABASE_NAME = "alphapulse"
# A socket's path holds at most 107 bytes on Linux and 103 on macOS; PostgreSQL appends a name of 15.
LONGEST_SOCKET_DIRECTORY = 85
# A comma separates hosts for libpq, a semicolon brokers for Celery, and blanks need quoting in both.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")


def as_typed(path: "Path | str") -> str:
    """The path as somebody in the working directory would type it."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


@dataclass(frozen=True)
class Places:
    """Where everything of one installation lies, and the addresses that follow from it."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def layout_file(self) -> Path:
        return self.root / "layout"

    @property
    def exchange_file(self) -> Path:
        """Names the local exchange of an installation that follows a recording."""
        return self.root / "exchange"

    def exchange_url(self, scheme: str, otherwise: str) -> str:
        file = self.exchange_file
        return f"{scheme}://{file.read_text(encoding='utf-8').strip()}" if file.exists() else otherwise

    def socket_directory(self, home: Path) -> Path:
        """The server's own directory, or one under /tmp if a socket address could not hold that path."""
        if len(os.fsencode(home)) <= LONGEST_SOCKET_DIRECTORY and PLAIN_PATH.fullmatch(str(home)):
            return home
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        return Path("/tmp") / f"alphapulse-{digest}"

    @property
    def broker_socket(self) -> Path:
        return self.socket_directory(self.valkey) / "valkey.sock"

    def database_url(self, name: str = DATABASE_NAME) -> str:
        directory = quote(str(self.socket_directory(self.postgres)), safe="")
        return f"postgresql:///{name}?host={directory}&user=postgres"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{quote(str(self.broker_socket))}"
