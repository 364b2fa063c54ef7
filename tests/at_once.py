"""Several processes at once on the test's own database, as real workers run: each with its own connections.

One subprocess imports the project once a session; for every race it forks the contenders, which start together.
"""

import atexit
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

STARTER = """
import json, os, sys, traceback
import django
django.setup()
import learning.services, signals.services
from django.db import connection

def contend(code, number, start, answers):
    os.read(start, 1)
    try:
        scope = {"number": number}
        exec(code, scope)
        answer = {"answer": scope.get("answer")}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    connection.close()
    os.write(answers, json.dumps(answer).encode())
    os._exit(0)

print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    hold, go = os.pipe()
    pipes, children = [os.pipe() for _ in range(request["count"])], []
    for number, (_, answers) in enumerate(pipes):
        child = os.fork()
        if not child:
            contend(request["code"], number, hold, answers)
        children.append(child)
    os.write(go, b"!" * len(children))
    found = []
    for (results, answers), child in zip(pipes, children):
        os.close(answers)
        with os.fdopen(results, "rb") as file:
            found.append(json.loads(file.read()))
        os.waitpid(child, 0)
    os.close(hold); os.close(go)
    print(json.dumps(found), flush=True)
"""


@cache
def _starter(environment: tuple[tuple[str, str], ...]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", STARTER],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.communicate)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def run_at_once(code: str, environment: dict[str, str], *, count: int = 4) -> list[Any]:
    """Run the code in `count` processes, which know their `number`, and give back what each left in `answer`."""
    kept = {name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"}
    process = _starter(tuple(sorted(kept.items())))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"code": code, "count": count}) + "\n")
    process.stdin.flush()
    found = json.loads(process.stdout.readline())
    errors = [each["error"] for each in found if "error" in each]
    assert not errors, "\n".join(errors)
    return [each["answer"] for each in found]
