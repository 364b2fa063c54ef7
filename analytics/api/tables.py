"""Lists as CSV: the columns of the JSON, streamed, at most so many rows, and nothing a spreadsheet would run."""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse
from rest_framework.renderers import BaseRenderer

MOST_TABLE_ROWS = 10_000
CHUNK = 1_000
# A cell that begins with one of these is a formula to a spreadsheet, or ends the quoting that kept it from being one.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


class TableRenderer(BaseRenderer):
    """Agrees on text/csv; the rows are written by `table`, since a renderer has them all at once."""

    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Only errors come here: they stay the JSON that they are everywhere."""
        return json.dumps(data, cls=DjangoJSONEncoder).encode()


class _Line:
    """What csv writes to: gives each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def table(rows: Iterable[Any], serializer: Any, name: str) -> StreamingHttpResponse:
    """The rows as a download; `serializer` names the columns and says each row."""
    answer = StreamingHttpResponse(lines(rows, serializer), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["X-Row-Limit"] = str(MOST_TABLE_ROWS)
    return answer


def lines(rows: Iterable[Any], serializer: Any) -> Iterator[str]:
    write, columns = csv.writer(_Line()).writerow, list(serializer.fields)
    yield write(columns)
    for row in rows:
        said = serializer.to_representation(row)
        yield write([cell(said[column]) for column in columns])


def cell(value: Any) -> Any:
    """Numbers as they are, nothing as nothing; text that would be a formula with an apostrophe before it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, cls=DjangoJSONEncoder)
    return f"'{text}" if text.startswith(DANGEROUS) else text
