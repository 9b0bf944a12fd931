"""The three subjects are the same rows in every chapter, chosen by a rule on the data."""

import numpy as np
import sklearn.preprocessing

from xai_course import data
from xai_course.book import cases


def test_the_three_cases():
    subjects = cases()
    assert list(subjects) == ["patient", "applicant", "garment"]
    for name, case in subjects.items():
        train, test = case.dataset.split_rows(seed=0)
        assert case.name == name
        assert case.row in test
        assert case.row not in train
        assert np.array_equal(case.x, case.dataset.X[case.row])
        assert case.y == case.dataset.y[case.row]
        assert case.feature_names == case.dataset.feature_names
        assert str(case.row) in repr(case)
        assert case.story
    # The book's text speaks of these rows.
    assert [case.row for case in subjects.values()] == [205, 4194, 6633]
    assert subjects["garment"].label == "Shirt"
    loans = subjects["applicant"].dataset
    assert loans.truth.segment(subjects["applicant"].x[None])[0] == 1


def test_the_patient_is_the_malignant_one_nearest_to_halfway():
    cancer = data.load("breast_cancer")
    train, test = cancer.split_rows()
    Z = sklearn.preprocessing.StandardScaler().fit(cancer.X[train]).transform(cancer.X)
    benign, malignant = (Z[train][cancer.y[train] == k].mean(0) for k in (0, 1))
    middle, line = (benign + malignant) / 2, malignant - benign
    offset = np.abs((Z - middle) @ line)
    patient = cases()["patient"]
    assert patient.label == "malignant"
    assert offset[patient.row] == offset[test[cancer.y[test] == 1]].min()
