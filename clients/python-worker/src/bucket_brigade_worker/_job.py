"""One file and what a processor can do with it."""

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ._answers import text as bounded

if TYPE_CHECKING:
    import logging


@dataclass(frozen=True)
class Object:
    """The object in Cloud Storage that the file is a copy of. Its uploader chose the name, with any characters."""

    bucket: str
    name: str
    generation: int = 0
    size: int = 0
    content_type: str = ""
    content_encoding: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    # All of `brigade.v1.Object` in proto3 JSON.
    json: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.name}#{self.generation}"

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> "Object":
        """From proto3 JSON: 64-bit numbers are strings there, and empty values are left out."""
        return cls(
            bucket=json.get("bucket", ""),
            name=json.get("name", ""),
            generation=int(json.get("generation", 0)),
            size=int(json.get("size", 0)),
            content_type=json.get("contentType", ""),
            content_encoding=json.get("contentEncoding", ""),
            metadata=json.get("metadata", {}),
            json=json,
        )


def _ignore(_: str) -> None:
    pass


@dataclass(frozen=True)
class Job:
    """One file to process."""

    # The copy of the object: exactly the bytes that were uploaded.
    path: Path
    object: Object
    # When the file is accepted, what is in here is uploaded. `output` names a file in it.
    output_dir: Path
    # For temporary files. It is removed after the file; `tempfile` has a folder that lives as long as the process.
    scratch: Path
    # 1 for the first call about this object, one more for each retry.
    attempt: int = 1
    # The trace that the file belongs to, as W3C Trace Context has it; empty when there is none. Also in `TRACEPARENT`.
    traceparent: str = ""
    _deadline: Optional[float] = field(default=None, repr=False)
    _progress: Callable[[str], None] = field(default=_ignore, repr=False, compare=False)

    def output(self, name: Union[str, "os.PathLike[str]"]) -> Path:
        """The path of an output with this name, which may have folders: `plots/day-1.png`."""
        relative = PurePosixPath(name)
        if not relative.parts or relative.is_absolute() or ".." in relative.parts:
            raise ValueError(
                f"{os.fspath(name)!r} cannot name an output; give a name below the outputs, such as plots/1.png"
            )
        path = self.output_dir / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def remaining(self) -> float:
        """The seconds that are left, after which the process is ended; infinity when no limit is known."""
        return math.inf if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def progress(self, text: str) -> None:
        """Says how far it is, such as "3 of 8 channels". Threads may call it too."""
        self._progress(bounded(text))

    @property
    def log(self) -> "logging.Logger":
        """A logger, whose lines from INFO on go to the worker's log. `print` does the same."""
        import logging

        return logging.getLogger("bucket_brigade_worker")
