"""What a page says, read from its HTML."""

import re
from html import unescape
from typing import Any

from django.test import Client


def text_of(html: str) -> str:
    """Its words with single spaces, without scripts and tags."""
    bare = re.sub(r"<(script|style|head).*?</\1>", " ", html, flags=re.S)
    joined = re.sub(r"</?(time|strong|small|a|span)\b[^>]*>", "", bare)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", joined)).split())


def said(client: Client, path: str, **query: Any) -> str:
    """The words of a page that answers well."""
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content[:500]
    return text_of(answer.content.decode())
