"""`python -m tests.chaos.process worker|gateway|webhooks|reaper`: run it as `ovseg` does, with shorter pauses.

The worker uses BoxInference. Pauses of days that are constants of the service are shortened too.
"""

from __future__ import annotations

import sys

from configs.settings import Settings
from ovseg import log
from tests.chaos.hurry import hurry


def main(role: str) -> None:
    log.set_up()
    hurry()
    settings = Settings()
    if role == "gateway":
        from ovseg.serve import Server

        Server(settings).run()
        return
    from worker import run

    if role == "worker":
        from tests.chaos.box_inference import BoxInference
        from tests.chaos.journal import JournaledJobs
        from worker.worker_services import WorkerServices

        services = WorkerServices(settings, "cpu", BoxInference())
        services.jobs = JournaledJobs(services.keyspace, services.app, settings, services.archive.keep_ended_soon)
        run.work(services, "cpu")
    else:
        {"webhooks": run.sending, "reaper": run.reaping}[role](settings)


if __name__ == "__main__":
    main(sys.argv[1])
