from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, subprocess, sys
from gunicorn.glogging import Logger
from gunicorn.config import Settings

path = sys.argv[1]
log = Logger(Settings().replace(errorlog=path, capture_output=True))
print("printed")
print("to stderr", file=sys.stderr)
os.write(1, b"from C\\n")
subprocess.run(["echo", "from a child"])
log.error("logged")
os.rename(path, path + ".1")
log.reopen_files()
print("printed later")
log.error("logged later")
os._exit(0)
"""


def test_everything_printed_goes_to_the_error_log_and_moves_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    before = path.with_name("error.log.1").read_text().splitlines()
    assert before[:4] == ["printed", "to stderr", "from C", "from a child"]
    assert before[4].endswith("[ERROR] logged")
    after = path.read_text().splitlines()
    assert after[0] == "printed later"
    assert after[1].endswith("[ERROR] logged later")
    assert len(after) == 2
