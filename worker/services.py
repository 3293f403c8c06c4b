"""The services that every process needs, opened in one place."""

from __future__ import annotations

from configs.settings import Settings
from worker.access.keys import Keys
from worker.access.sessions import Sessions
from worker.access.tenants import Tenants
from worker.batch.batches import Batches
from worker.batch.feeder import Feeder
from worker.batch.files import BatchFiles
from worker.batch.outcome import Outcomes
from worker.batch.results import Results
from worker.image.inputs import Inputs
from worker.image.known_images import KnownImages
from worker.job.acceptance import Acceptance
from worker.job.archive import Archive
from worker.job.asked_files import AskedFiles
from worker.job.earlier_masks import EarlierMasks
from worker.job.erasure import Erasure
from worker.job.jobs import Jobs
from worker.job.left_behind import LeftBehind
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.store.record_archive import RecordArchive
from worker.store.storage import PATIENT, Patience, Storage
from worker.upload.uploads import Uploads
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Events


class Services:
    """Jobs, events and endpoints in Redis; images and documents in storage. Thread-safe.

    Each process opens one. `patience` is how long calls to storage wait. `background` is the same for calls that move
    images; by default it is `patience`.
    """

    def __init__(self, settings: Settings, patience: Patience = PATIENT, background: Patience | None = None) -> None:
        self.settings = settings
        self.app = queue.create(settings)
        self.keyspace = Keyspace.open(settings)
        self.storage = Storage(settings, patience)
        self.keys = Keys(self.keyspace)
        self.sessions = Sessions(self.keyspace)
        self.tenants = Tenants(self.keyspace, settings)
        self.jobs = Jobs(self.keyspace, self.app, settings)
        self.left_behind = LeftBehind(self.jobs, self.keyspace, self.app, settings)
        self.events = Events(self.keyspace, self.app, settings)
        self.endpoints = Endpoints(self.keyspace, settings)
        self.inputs = Inputs(self.keyspace, self.storage, Storage(settings, background) if background else None)
        self.known_images = KnownImages(self.keyspace)
        self.uploads = Uploads(self.keyspace, self.storage, settings)
        self.archive = Archive(self.keyspace, self.storage, self.inputs)
        self.earlier_masks = EarlierMasks(self.jobs, self.archive, self.storage)
        self.record_archive = RecordArchive(self.keyspace, self.storage)
        self.asked_files = AskedFiles(self.keyspace)
        self.acceptance = Acceptance(self.jobs, self.inputs, self.storage, self.archive, settings)
        self.erasure = Erasure(self.keyspace, settings, self.storage, self.archive)
        self.batches = Batches(self.keyspace, self.storage, self.uploads, settings)
        self.outcomes = Outcomes(self.keyspace, self.storage)
        self.results = Results(self.outcomes, self.storage)
        self.batch_files = BatchFiles(self.outcomes, self.storage)
        self.feeder = Feeder(
            self.batches, self.jobs, self.acceptance, self.erasure, self.keyspace, self.storage, settings
        )
