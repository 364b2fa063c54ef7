"""What a lived system is judged by: invariants, what its API told, `certify`, `audit`, and a life without faults."""

from typing import Any

from tests.tables import Tables, differences

# What is done of today only: a day that was missed, which here lasts two minutes, is not made up.
OF_TODAY_ONLY = ("job='ingestion.refresh_universe'", "job='ingestion.reread_day'")


class Judgement:
    """Of one system, as `examine` wrote it down."""

    def __init__(self, report: dict[str, Any], broken: list[str] | None = None) -> None:
        self.tables: Tables = {name: [tuple(row) for row in rows] for name, rows in report["tables"].items()}
        self.findings: list[dict[str, Any]] = report["findings"]
        self.certified, self.audited = report["certify"], report["audit"]
        # What the API had told, and was not so.
        self.broken_promises = broken or []

    def complaints(self, fault_free: "Judgement | None" = None) -> list[str]:
        """Everything that is wrong, a line each; nothing if the faults have left no trace."""
        failed = [f"{each['name']} {each['title']}: {each['seen']}" for each in self.findings if not each["passed"]]
        named = (("certify", self.certified), ("audit", self.audited))
        differing = [f"{name}: {line}" for name, report in named for line in report["differences"]]
        unclear = [f"certify, unclear: {line}" for line in self.certified["unclear"]]
        tables = differences(self.compared(), fault_free.compared()) if fault_free else []
        return [*self.broken_promises, *failed, *differing, *unclear, *tables]

    def compared(self) -> Tables:
        runs = [row for row in self.tables["JobRun"] if row[0] not in OF_TODAY_ONLY]
        return {**self.tables, "JobRun": runs}

    def figures(self) -> str:
        rows = sum(len(rows) for rows in self.tables.values())
        return (
            f"{len(self.findings)} findings, certified {self.certified['closes']} closes and {self.certified['scans']}"
            f" scans, audited {self.audited['events']} events and {self.audited['replayed']} versions, {rows:,} rows"
        )
