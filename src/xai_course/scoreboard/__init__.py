"""How close attribution methods come to exact answers, on networks that are shipped with them.

``python -m xai_course.scoreboard package.module:function`` scores anyone's method.

Explained in the chapter *ground-truth*.
"""

from xai_course.scoreboard.scores import (
    METHODS,
    METRICS,
    MethodError,
    published,
    score,
    summary,
    table,
)
from xai_course.scoreboard.subjects import NETWORKS, REFERENCES, Subject, load_subjects

__all__ = [
    "METHODS",
    "METRICS",
    "NETWORKS",
    "REFERENCES",
    "MethodError",
    "Subject",
    "load_subjects",
    "published",
    "score",
    "summary",
    "table",
]
