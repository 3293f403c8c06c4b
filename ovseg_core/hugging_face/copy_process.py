"""The process of one device; `copies` starts it. It ends when its connection is closed."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from ovseg_core.hugging_face.asked import answers
from ovseg_core.hugging_face.loaded import Loaded


def main(connection: Connection) -> None:
    """Load the models that are sent first, and answer batches. An answer has results or None, and an error or None."""
    choice, device, is_detection = connection.recv()
    loaded = Loaded(choice, device)
    try:
        loaded.load(is_detection=is_detection)
        connection.send((None, None))
        while True:
            batch = connection.recv()
            try:
                connection.send((list(answers(loaded, batch)), None))
            except Exception as error:
                connection.send((None, error))
    except (EOFError, ConnectionError):  # the pipeline is gone
        return
    except Exception as error:
        connection.send((None, error))


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as to_pipeline:
        main(to_pipeline)
