"""A child gets what the server has of this project's code only where its folder has the same."""

import shutil
import subprocess
import sys

from releve.adapters.forks.loaded import PROJECT

STARTED = """
import os, socket, sys
from releve.adapters.forks.server import ForkingServer
server = ForkingServer(socket.socketpair()[0])
with open("releve/core/errors.py", "a") as file:
    file.write("# edited")
server._code.note()
server._code.move_to(os.getcwd(), main="")
print("releve.core.errors" in sys.modules)
"""


def test_what_was_edited_between_the_servers_start_and_its_first_child_is_not_given_to_it_as_it_was(tmp_path):
    shutil.copytree(PROJECT / "releve", tmp_path / "releve", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "started.py").write_text(f"import releve.core.errors{STARTED}")

    done = subprocess.run([sys.executable, "started.py"], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
