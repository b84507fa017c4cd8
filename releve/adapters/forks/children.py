"""What a child does first, beside what every Python process does: for the programs that would not do as they are."""

import os
import re
import socket
import sys
from typing import Any

from releve.adapters.forks.command import CONNECTION, Command, start
from releve.adapters.forks.libraries import CODE, STAGES

CODE_STAGE = "tasks.pipeline.code"
STAGE_COMMAND = re.compile(r"python -m (tasks\.[\w.]+)((?: [\w./-]+)*)")  # nothing that a shell would read differently

stage_seconds: list[float] = []  # of the stages that this process had run, which are children of the server


def begin_flow(server: socket.socket) -> None:
    """Read Prefect's settings and set up its logging as its import does; what it imported, it did for the server.

    The flow's own commands are forked by the same server.
    """
    from prefect import context
    from prefect.logging import configuration

    context.refresh_global_settings_context()
    configuration.setup_logging(incremental=False)
    sys.modules.pop("prefect.engine", None)  # it runs as the main one
    os.environ[CONNECTION] = f"{os.getpid()}:{server.fileno()}"


def begin_dvc(server: socket.socket) -> None:
    """Let DVC have its stages forked by the server.

    DVC runs the others itself: commands that are not ours, and ours where the server was killed or refuses.
    """
    from dvc.stage import run
    from dvc.stage.exceptions import StageCmdFailedError

    from releve.adapters import telemetry  # of the code as it stands now, which is not that of the server

    telemetry.begin("releve-flows", parent=os.environ.get(telemetry.TRACEPARENT, ""))
    by_shell = run._run

    def run_command(executable: str, command: str, **options: Any) -> None:
        ours = STAGE_COMMAND.fullmatch(command)
        if not ours:
            by_shell(executable, command, **options)
            return
        module, arguments = ours[1], ours[2].split()
        named = {"scenario": arguments[0]} if len(arguments) == 1 else {}
        with telemetry.span(f"stage {module.rpartition('.')[2]}", **named):
            run_stage(executable, command, module, arguments, options)

    def run_stage(executable: str, command: str, module: str, arguments: list[str], options: dict[str, Any]) -> None:
        libraries = CODE if module == CODE_STAGE else STAGES
        wanted = Command(module, arguments, str(options["cwd"]), options["env"], libraries, group=os.getpgrp())
        sys.stdout.flush()
        try:
            process = start(server, wanted, (1, 2))
        except OSError:
            by_shell(executable, command, **options)
            return
        code = process.wait()
        stage_seconds.append(process.cpu_seconds)
        if code:
            raise StageCmdFailedError(command, code)

    run._run = run_command


BEGINNINGS = {"dvc": begin_dvc, "prefect.engine": begin_flow}
