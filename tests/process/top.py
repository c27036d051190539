"""The supervisor over `child.py`: top.py FACTS [habits...]; `--watch FOLDER` as `serve --reload` does."""

import sys
from pathlib import Path

from robyn_server.file_watch import FileWatch
from robyn_server.supervisor import Supervisor

arguments = sys.argv[1:]
watch = None
if arguments[0] == "--watch":
    watch = FileWatch(Path(arguments[1]) / "langgraph.json")
    arguments = arguments[2:]
command = [sys.executable, str(Path(__file__).with_name("child.py")), *arguments]
sys.exit(Supervisor(command, watch.changed if watch else None).run())
