"""The program under test, as a person runs it."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEDILAKE = os.environ.get("FEDILAKE") or str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "fedilake")


def fedilake(*arguments, data=None, environment=None, stdin=""):
    """Its standard output. What it says when it fails is the exception's text."""
    command = [FEDILAKE, "--quiet", *map(str, arguments)] + (["--data", str(data)] if data else [])
    # The settings of whoever runs the tests are not the tests'.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FEDILAKE_", "AWS_"))}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=clean | (environment or {}))
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def report(name, data, environment=None):
    """A report's rows."""
    return json.loads(fedilake("report", name, "--format", "json", data=data, environment=environment))
