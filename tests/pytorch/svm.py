"""Makes `tests/fixtures/svm.safetensors`: scikit-learn's machines, and the least objective of a sum of kernels by SciPy.

`python tests/pytorch/svm.py` (needs `scikit-learn`, `scipy`, `numpy` and `safetensors`; some seconds). Samples are synthetic.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import minimize
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "svm.safetensors"
SAMPLES, FIRST, SECOND, CLASSES = 90, 6, 20, 3
TIGHT = {"tol": 1e-9, "cache_size": 100}


def samples(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Classes that overlap: a few columns tell them, the others are noise of several scales."""
    labels = rng.permutation(np.arange(SAMPLES) % CLASSES)
    x = rng.normal(0, 1, (SAMPLES, FIRST + SECOND)) * rng.uniform(0.1, 20, FIRST + SECOND)
    for column in (0, 2, 7, 9, 15):
        x[:, column] += rng.normal(0, 1.2, CLASSES)[labels] * x[:, column].std()
    return x.astype(np.float32), labels.astype(np.int32)


def kernels(x: np.ndarray) -> list[np.ndarray]:
    """Five radial basis functions and three polynomials, each divided by its mean diagonal."""
    columns = x.shape[1]
    radial = [rbf_kernel(x, gamma=0.01 * times) for times in range(1, 6)]
    polynomial = [polynomial_kernel(x, degree=degree, gamma=1 / columns, coef0=1) for degree in (2, 3, 4)]
    return [kernel / np.diag(kernel).mean() for kernel in radial + polynomial]


def solve(kernel: np.ndarray, labels: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class against the rest: α y, decision values, and the dual's maximum."""
    signed, decisions, objectives = [], [], []
    for own in range(CLASSES):
        machine = SVC(C=c, kernel="precomputed", **TIGHT).fit(kernel, np.where(labels == own, 1, -1))
        coefficients = np.zeros(len(labels))
        coefficients[machine.support_] = machine.dual_coef_[0]
        signed.append(coefficients)
        decisions.append(machine.decision_function(kernel))
        objectives.append(np.abs(coefficients).sum() - coefficients @ kernel @ coefficients / 2)
    return np.stack(signed), np.stack(decisions), np.array(objectives)


def least(family: np.ndarray, labels: np.ndarray, c: float) -> float:
    """The least sum of objectives over weights that are not negative and have the sum 1, by sequential quadratic programming."""

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        signed, _, objectives = solve(np.tensordot(weights, family, 1), labels, c)
        return objectives.sum(), -np.einsum("ci,mij,cj->m", signed, family, signed) / 2

    count = len(family)
    found = minimize(
        objective,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": lambda weights: np.ones(count)},
        options={"ftol": 1e-10, "maxiter": 500},
    )
    assert found.success, found.message
    return found.fun


def main() -> None:
    rng = np.random.default_rng(11)
    x, labels = samples(rng)
    scaled = MinMaxScaler().fit_transform(x.astype(np.float64))
    linear = OneVsRestClassifier(SVC(C=1, kernel="linear", **TIGHT)).fit(scaled[:, FIRST:], labels)
    importance = np.abs(np.concatenate([machine.coef_ for machine in linear.estimators_])).sum(axis=0)
    chosen = np.flatnonzero(importance >= importance.mean())
    family = np.stack(kernels(scaled[:, :FIRST]) + kernels(scaled[:, FIRST:][:, chosen]))
    weights = rng.dirichlet(np.ones(len(family)))
    sizes = np.array([FIRST, SECOND, CLASSES], dtype=np.int32)
    tensors = {"sizes": sizes, "features": x, "labels": labels, "chosen": chosen.astype(np.int32), "weights": weights}
    for c in (0.1, 1.0, 10.0):
        _, decisions, objectives = solve(np.tensordot(weights, family, 1), labels, c)
        tensors |= {f"decisions.{c}": decisions, f"objectives.{c}": objectives, f"least.{c}": np.array([least(family, labels, c)])}
        print(c, objectives, tensors[f"least.{c}"], objectives.sum())
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, FIXTURE)


if __name__ == "__main__":
    main()
