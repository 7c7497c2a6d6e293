"""Scores: the Open Images detection and segmentation metric over two datasets.

`evaluate` takes the truth and the predictions; `Rules` are its options; `Scores` is what it gives.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datumaro_openimages_plugin.evaluation.metric import evaluate
    from datumaro_openimages_plugin.evaluation.rules import Rules
    from datumaro_openimages_plugin.evaluation.scores import ClassScore, Scores

__all__ = ["ClassScore", "Rules", "Scores", "evaluate"]

#: Public name -> module that has it. The command line needs the rules alone, without numpy.
_PUBLIC = {"ClassScore": "scores", "Rules": "rules", "Scores": "scores", "evaluate": "metric"}


def __getattr__(name: str) -> object:
    import importlib

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
