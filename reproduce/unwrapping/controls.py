"""Models that a merged network has to beat: they know nothing of any network."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    RidgeCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from unwrapping.examples import Trained
from xai_course.unwrapping.glm import fit_glm

STRENGTHS = np.logspace(-3, 3, 4)


def linear(rows: Trained) -> np.ndarray:
    """Return the test outputs of one linear or logistic model."""
    if rows.classification:
        model = LogisticRegression(max_iter=2000).fit(rows.X_train, rows.y_train)
        return model.decision_function(rows.X_test)
    return LinearRegression().fit(rows.X_train, rows.y_train).predict(rows.X_test)


def quadratic(rows: Trained) -> np.ndarray:
    """Return the test outputs of one GLM on all squares and products.

    Its ridge penalty is chosen by cross-validation on the training rows, because the products of
    35 columns are 665.
    """
    if rows.classification:
        last = LogisticRegressionCV(
            Cs=STRENGTHS,
            cv=5,
            solver="newton-cholesky",
            scoring="neg_log_loss",
            l1_ratios=(0,),
            use_legacy_attributes=False,
        )
    else:
        last = RidgeCV(1 / STRENGTHS)
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), last
    ).fit(rows.X_train, rows.y_train)
    return (model.decision_function if rows.classification else model.predict)(rows.X_test)


def kmeans_glm(
    rows: Trained, n_clusters: int, penalty: str | None, C: float, seed: int
) -> np.ndarray:
    """Return the test outputs of one GLM in each K-means cluster of the predictors."""
    means = KMeans(n_clusters, n_init=10, random_state=seed).fit(rows.X_train)
    own, new = means.labels_, means.predict(rows.X_test)
    n_classes = 2 if rows.classification else None
    outputs = np.empty(len(rows.X_test))
    for k in range(n_clusters):
        X, y = rows.X_train[own == k], rows.y_train[own == k]
        coef, intercept = fit_glm(X, y, n_classes, penalty, C)
        outputs[new == k] = rows.X_test[new == k] @ coef[0] + intercept[0]
    return outputs
