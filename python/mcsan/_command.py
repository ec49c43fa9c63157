"""The command as a process of its own."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any

from ._mcsan import Error

# Set for a process that is to end when its standard input does: with this one, however that ends.
_TIED = "MCSAN_ENDS_WITH_STDIN"
# Paths of streams that a process is started with.
_STREAMS = ("-", "/dev/stdin", "/dev/fd/", "/proc/self/fd/")

# What a line of a failure begins with.
_FAULTS = ("error: ", "mcsan: ")

# The command of this package, whatever lies in the folder that it is called in.
_COMMAND = f"import sys; sys.path[0] = {str(pathlib.Path(__file__).parents[1])!r}; from mcsan.__main__ import main; sys.exit(main())"


def _line(arguments: tuple[Any, ...], options: dict[str, Any]) -> list[str]:
    """The words of a command line."""
    line = [os.fspath(argument) for argument in arguments]
    for name, value in options.items():
        option = "--" + name.rstrip("_").replace("_", "-")
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is True:
                line.append(option)
            elif each is not False and each is not None:
                line.append(f"{option}={os.fspath(each) if isinstance(each, os.PathLike) else each}")
    return line


def _reads_stream(line: list[str]) -> bool:
    values = [word.split("=", 1)[-1] for word in line]
    return any(value == stream or (stream.endswith("/") and value.startswith(stream)) for value in values for stream in _STREAMS)


def _said(process: subprocess.Popen, kept: list[str]) -> None:
    """Passes on what the command says, line by line; keeps how it failed and, at the end, what it said last."""
    heard = sys.stderr
    for said in process.stderr:
        if kept and not kept[-1].startswith(_FAULTS):
            kept.pop()
        kept.append(said)
        if heard is not None and not said.startswith(_FAULTS):
            try:
                heard.write(said)
            except (OSError, ValueError):
                # Nobody reads it any more. The command, which must not wait for that, goes on.
                heard = None


def _fault(kept: list[str], code: int) -> Error:
    """The line of a failure."""
    for start in _FAULTS:
        for said in kept:
            if said.startswith(start):
                return Error(said.removeprefix(start).rstrip("\n"))
    return Error(f"the command ended with exit code {code}" + (f": {kept[-1].strip()}" if kept else ""))


def run(*arguments: str | os.PathLike, **options: Any) -> Any:
    """Runs a command as a process of its own and returns what `--json` makes it print.

    `run("evaluate", run="runs/a", data="data.safetensors", by="speaker")` is `mcsan evaluate --run runs/a --data data.safetensors
    --by speaker --json`, a dictionary, or of commands that print a line an input a list: `_` in a name stands for `-`, True is an option
    without a value, False and None leave one out, a list repeats it, and a `_` at the end is for Python's own words (`from_`). What it
    says besides goes to standard error as it is said. Raises Error with its line where it fails; of `check`, whose result says what
    failed, none. Ctrl-C is KeyboardInterrupt, once the command has ended whole (a second one ends it at once), and where Python ends it
    ends, too.
    """
    line = _line(arguments, options)
    environment, tied = dict(os.environ), not _reads_stream(line)
    if tied:
        environment[_TIED] = "1"
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *line, "--json"], stdin=subprocess.PIPE if tied else None, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", env=environment,
        # Ctrl-C reaches it through this process alone, once.
        start_new_session=os.name != "nt")
    kept: list[str] = []
    output: list[str] = []
    readers = [threading.Thread(target=_said, args=(process, kept), daemon=True),
               threading.Thread(target=lambda: output.append(process.stdout.read()), daemon=True)]
    for reader in readers:
        reader.start()
    interrupted = None
    while process.returncode is None:
        try:
            process.wait()
        except KeyboardInterrupt as interrupt:
            interrupted = interrupt
            if os.name != "nt":
                process.send_signal(signal.SIGINT)
    for reader in readers:
        reader.join()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    if interrupted is not None:
        raise interrupted
    told = "".join(output)
    if not told or process.returncode not in (0, 1):
        raise _fault(kept, process.returncode)
    try:
        return json.loads(told)
    except ValueError:
        # A document a line.
        return [json.loads(own) for own in told.splitlines()]
