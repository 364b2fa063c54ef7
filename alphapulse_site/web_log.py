"""gunicorn's lines: its own for people, or JSON with what was asked for and how it went."""

import logging
from typing import Any

from django.conf import settings
from gunicorn.config import Config
from gunicorn.glogging import Logger

from alphapulse_site.logs import JSON, JsonLine


class AccessLine(JsonLine):
    """gunicorn hands the parts of a line on under one letter each."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        if isinstance(said := record.args, dict):
            asked = {"address": said["h"], "method": said["m"], "path": said["U"]}
            log_data.update(asked, status=int(said["s"]), seconds=float(said["L"]))


class WebLog(Logger):
    """For gunicorn's `--logger-class`."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        if settings.ALPHAPULSE_LOG != JSON:
            return
        for log, line in ((self.error_log, JsonLine()), (self.access_log, AccessLine())):
            for handler in log.handlers:
                handler.setFormatter(line)
