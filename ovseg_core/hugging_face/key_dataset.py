"""`KeyDataset`, as in transformers: one column of a dataset."""

from __future__ import annotations

from typing import Any


class KeyDataset:
    """The values under one key of a dataset's rows, read one by one.

    transformers' class of this name is in `transformers.pipelines.pt_utils`, and needs torch. `pipeline` takes both.

    Args:
        dataset: a sequence of mappings, such as a dataset of the library `datasets`.
        key: the key.
    """

    def __init__(self, dataset: Any, key: str) -> None:
        self.dataset, self.key = dataset, key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index][self.key]
