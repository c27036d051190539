"""The command line: `serve`, `worker`, `check`, `routes`, `migrate`, `backup`.

What a command does stands in `commands.py`, imported only where it is needed: `--version` stays instant
and the supervisor small.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from robyn_server import __version__
from robyn_server.errors import StartupError
from robyn_server.file_watch import FileWatch
from robyn_server.supervisor import Supervisor, Tie, tie_to_supervisor

CANNOT_START = 2
OVERRIDES = (
    "config_path",
    "data_dir",
    "host",
    "port",
    "slots",
    "no_worker",
    "worker_processes",
    "worker_port",
    "log_level",
    "log_format",
    "allow_unauthenticated",
)
"""The arguments that are fields of `Settings`."""

MOST_WORKERS = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Whatever keeps the server from starting is one sentence on stderr."""
    words = list(sys.argv[1:] if argv is None else argv) or ["serve"]
    arguments = parser().parse_args(words)
    try:
        if arguments.command in ("serve", "worker"):
            return serve(arguments, words)
        return other(arguments)
    except StartupError as error:
        sys.stderr.write(f"robyn_server: {error}\n")
        return CANNOT_START


def serve(arguments: argparse.Namespace, words: Sequence[str]) -> int:
    """`serve` and `worker`. In the first process: supervise a second one, which gets the same arguments and works."""
    tie = tie_to_supervisor()
    if tie is not None:
        return serve_here(arguments, tie)
    watched = Path(arguments.config_path or "langgraph.json")
    watch = FileWatch(watched) if arguments.command == "serve" and arguments.reload else None
    program = [sys.executable, "-m", "robyn_server"]
    workers = [[*program, "worker", *shared_words(arguments)]] * worker_processes(arguments)
    return Supervisor([*program, *words], watch.changed if watch else None, workers).run()


def worker_processes(arguments: argparse.Namespace) -> int:
    """How many workers are wanted beside the server; what is no number the server process will complain about."""
    wanted = getattr(arguments, "worker_processes", None) or "0"
    return min(int(wanted), MOST_WORKERS) if wanted.isdecimal() else 0


def shared_words(arguments: argparse.Namespace) -> list[str]:
    """What a server's workers are told as well, as it stands on a command line."""
    flags = {
        "--config": "config_path",
        "--data-dir": "data_dir",
        "--log-level": "log_level",
        "--log-format": "log_format",
        "--slots": "slots",
    }
    return [
        word
        for flag, name in flags.items()
        if (value := getattr(arguments, name)) is not None
        for word in (flag, value)
    ]


def serve_here(arguments: argparse.Namespace, tie: Tie) -> int:
    """The server process."""
    # Until the server drains on signals, an interrupt ends it without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from robyn_server import garbage  # noqa: PLC0415 - not for the supervisor

    garbage.keep_all()
    from robyn_server import commands  # noqa: PLC0415 - seconds of imports, not for the supervisor

    command = commands.serve if arguments.command == "serve" else commands.worker
    return command(overrides(arguments), tie.ready)


def other(arguments: argparse.Namespace) -> int:
    """A command that does its work and ends."""
    from robyn_server import commands  # noqa: PLC0415 - seconds of imports, not for `--version`

    given = overrides(arguments)
    match arguments.command:
        case "check":
            return commands.check(given)
        case "routes":
            return commands.routes(given)
        case "migrate":
            return migrate(arguments, given)
        case _:
            return commands.backup(given, Path(arguments.directory))


def migrate(arguments: argparse.Namespace, given: dict[str, str]) -> int:
    """`migrate`, within one database or from one to another."""
    from robyn_server import commands  # noqa: PLC0415 - as in `other`

    if arguments.source is None and arguments.target is None:
        return commands.migrate(given)
    if arguments.source is None or arguments.target is None:
        raise StartupError("--from and --to go together: name both, or neither.")
    return commands.move(given, arguments.source, arguments.target)


def overrides(arguments: argparse.Namespace) -> dict[str, str]:
    """What was given on the command line, as text, by field of `Settings`."""
    return {name: value for name in OVERRIDES if (value := getattr(arguments, name, None)) is not None}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="robyn_server", description="An open agent server for langgraph.json projects."
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = shared_arguments()
    add_serve(commands.add_parser("serve", parents=[shared], help="serve the graphs (the default)"))
    worker = commands.add_parser(
        "worker",
        parents=[shared],
        help="execute runs for a server --no-worker on the same data directory, or on the same PostgreSQL and Redis",
    )
    add_slots(worker)
    add_host(worker)
    worker.add_argument(
        "--worker-port", metavar="PORT", help="answer /ok and /metrics there (default: nowhere)"
    )
    commands.add_parser("check", parents=[shared], help="say whether langgraph.json and its graphs load")
    commands.add_parser("routes", parents=[shared], help="list the HTTP routes")
    add_migrate(
        commands.add_parser("migrate", parents=[shared], help="bring the database to this version, then end")
    )
    backup = commands.add_parser("backup", parents=[shared], help="copy the databases, also while serving")
    backup.add_argument("directory", metavar="DIR", help="the folder to copy them to")
    return top


def shared_arguments() -> argparse.ArgumentParser:
    """What every command takes."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", dest="config_path", metavar="FILE", help="langgraph.json (default: ./langgraph.json)"
    )
    shared.add_argument("--data-dir", metavar="DIR", help="where the data is kept (default: ./.data)")
    shared.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING, ERROR or CRITICAL")
    shared.add_argument("--log-format", metavar="FORMAT", help="console or json")
    return shared


def add_slots(command: argparse.ArgumentParser) -> None:
    """For whoever executes runs."""
    command.add_argument("--slots", metavar="N", help="runs at once (default: 256)")


def add_migrate(command: argparse.ArgumentParser) -> None:
    """For a copy into another database."""
    command.add_argument(
        "--from", dest="source", metavar="sqlite:DIR", help="the data directory to copy (with --to)"
    )
    command.add_argument(
        "--to", dest="target", metavar="postgresql:URI", help="the empty database to copy it into"
    )


def add_host(command: argparse.ArgumentParser) -> None:
    """For whoever listens."""
    command.add_argument("--host", help="IP address to listen on (default: 127.0.0.1)")


def add_serve(command: argparse.ArgumentParser) -> None:
    """What only `serve` takes."""
    add_host(command)
    command.add_argument("--port", help="port to listen on (default: 8081)")
    add_slots(command)
    command.add_argument(
        "--no-worker", action="store_const", const="1", help="leave the runs to other servers and workers"
    )
    command.add_argument(
        "--worker-processes", metavar="N", help="leave the runs to so many worker processes, started here"
    )
    command.add_argument(
        "--reload", action="store_true", help="start again when a file of the project changes"
    )
    command.add_argument(
        "--allow-unauthenticated",
        action="store_const",
        const="1",
        help="serve without authentication although other machines can reach the address",
    )
