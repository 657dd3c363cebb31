"""Methods that `brain benchmark risk --peers` measures us against, at their defaults, on the same folds and columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, RiskTable

#: rows below which a level of text is pooled with the other rare ones
_RARE = 5


@dataclass(frozen=True, slots=True)
class Peer:
    """A classifier, a regressor of remaining lives, and whether they need missing values filled and scales alike."""

    classifier: Callable[[], Any]
    regressor: Callable[[], Any]
    fills: bool


PEERS: Mapping[str, Peer] = {
    "xgboost": Peer(
        lambda: XGBClassifier(n_jobs=1, random_state=0), lambda: XGBRegressor(n_jobs=1, random_state=0), fills=False
    ),
    "hist_gradient_boosting": Peer(
        lambda: HistGradientBoostingClassifier(random_state=0),
        lambda: HistGradientBoostingRegressor(random_state=0),
        fills=False,
    ),
    "random_forest": Peer(
        lambda: RandomForestClassifier(n_jobs=1, random_state=0),
        lambda: RandomForestRegressor(n_jobs=1, random_state=0, max_features=1 / 3),
        fills=True,
    ),
    "logistic": Peer(lambda: LogisticRegression(max_iter=1000), Ridge, fills=True),
}


def peer_risks(peer: Peer, train: RiskTable, harmed: Flags, test: RiskTable) -> Floats:
    """Probabilities of the test rows."""
    with _quiet():
        fitted = _pipeline(peer, train, peer.classifier()).fit(_objects(train), harmed.astype(np.int64))
    return np.asarray(fitted.predict_proba(_objects(test))[:, 1], dtype=np.float64)


def peer_lives(peer: Peer, train: RiskTable, life: Floats, test: RiskTable) -> Floats:
    """Remaining lives of the test rows."""
    with _quiet():
        fitted = _pipeline(peer, train, peer.regressor()).fit(_objects(train), life)
    return np.asarray(fitted.predict(_objects(test)), dtype=np.float64)


def _pipeline(peer: Peer, train: RiskTable, model: Any) -> Any:
    """Numbers as they are, or filled and scaled; words one-hot, rare ones pooled."""
    places = {name: place for place, name in enumerate(train.columns)}
    numbers = [places[name] for name in train.numeric]
    words = [place for name, place in places.items() if name not in train.numeric]
    filled = [SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()]
    coded = OneHotEncoder(min_frequency=_RARE, handle_unknown="infrequent_if_exist", sparse_output=False)
    parts = [
        ("numbers", make_pipeline(_FLOATS, *filled) if peer.fills else _FLOATS, numbers),
        ("words", make_pipeline(_WORDS, coded), words),
    ]
    return make_pipeline(ColumnTransformer([part for part in parts if part[2]]), model)


@contextmanager
def _quiet() -> Iterator[None]:
    """A peer that stops before it has converged, or fills a column without a value, is measured as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def _objects(table: RiskTable) -> npt.NDArray[np.object_]:
    return np.column_stack([np.asarray(column, dtype=object) for column in table.columns.values()])


def _as_words(block: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    return np.where(block == None, "(missing)", block)  # noqa: E711 - elementwise


def _as_floats(block: npt.NDArray[np.object_]) -> Floats:
    return np.asarray(block, dtype=np.float64)


_WORDS, _FLOATS = FunctionTransformer(_as_words), FunctionTransformer(_as_floats)
