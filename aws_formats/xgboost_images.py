"""AWS's XGBoost images: what each holds, and until when AWS patches it.

An image's version (``3.2-0``) is the tag of ``sagemaker-xgboost``. It says nothing of the Python inside, on
which a program may fail hours after its job was started, and nothing of the day after which no flaw is mended
any more. Sources: the Dockerfiles and the lock files in github.com/aws/sagemaker-xgboost-container and
github.com/aws/deep-learning-containers, and the latter's support data (``docs/src/data/sagemaker-xgboost``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Image:
    """One version of ``sagemaker-xgboost``.

    Attributes:
        python: major and minor version.
        libraries: the exact versions of those that programs use, as far as they are known.
        patched_until: the last day of AWS's support; None where AWS has published none.
    """

    version: str
    python: tuple[int, int]
    libraries: Mapping[str, str] = field(default_factory=dict)
    patched_until: date | None = None

    @property
    def python_version(self) -> str:
        return ".".join(map(str, self.python))


IMAGES = {
    image.version: image
    for image in (
        Image(
            "3.2-0",
            (3, 12),
            {
                "xgboost": "3.2.0",
                "scikit-learn": "1.8.0",
                "pandas": "2.2.3",
                "numpy": "2.1.0",
                "scipy": "1.15.0",
                "pyarrow": "22.0.0",
            },
            date(2027, 5, 13),
        ),
        Image(
            "3.0-5",
            (3, 10),
            {
                "xgboost": "3.0.5",
                "scikit-learn": "1.5.2",
                "pandas": "2.2.3",
                "numpy": "2.1.0",
                "scipy": "1.15.0",
                "pyarrow": "22.0.0",
            },
            date(2026, 11, 17),
        ),
        Image("1.7-1", (3, 10), {"xgboost": "1.7.4"}),  # builds of before 2025 have Python 3.9
        Image("1.5-1", (3, 8)),
        Image("1.3-1", (3, 7)),
        Image("1.2-2", (3, 7)),
        Image("1.2-1", (3, 7)),
        Image("1.0-1", (3, 7)),
        Image("0.90-2", (3, 6)),
    )
}
"""By version, newest first."""


def version_key(version: str) -> tuple[int, ...]:
    """What a version of the form ``3.2-0`` is sorted by."""
    return tuple(int(part) for part in version.replace("-", ".").split("."))
