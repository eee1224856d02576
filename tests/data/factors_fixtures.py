"""Writes algorithms/tests/golden/factors.json: factorizations by implicit.

    pip install implicit==0.7.3 scipy==1.17.1 numpy==2.4.6
    OPENBLAS_NUM_THREADS=1 python tests/data/factors_fixtures.py

A small matrix of ones, factorized by alternating least squares with exact solves in 64 bits from
given item factors. What comes out is turned into Mercer's terms as implicit_factors_peer.py says:
the loss after each iteration, and users folded in against given item factors.
"""

import json
import pathlib

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit_factors_peer import loss
from scipy.sparse import csr_matrix

USERS, ITEMS, ITERATIONS = 90, 60, 4


def matrix(random):
    popularity = 1.0 / np.arange(1, ITEMS + 1) ** 0.7
    popularity /= popularity.sum()
    dense = np.zeros((USERS, ITEMS), dtype=np.float32)
    for user in range(USERS):
        length = random.integers(1, 16)
        dense[user, random.choice(ITEMS, size=length, replace=False, p=popularity)] = 1.0
    return csr_matrix(dense)


def case(seed, dimensions, alpha, regularization):
    random = np.random.default_rng(seed)
    users = matrix(random)
    deviation = 0.1 / np.sqrt(dimensions)
    start = random.normal(0, deviation, (ITEMS, dimensions)).astype(np.float32)
    scale = np.sqrt(alpha / (alpha - 1))

    model = AlternatingLeastSquares(
        factors=dimensions,
        regularization=regularization,
        alpha=alpha,
        iterations=1,
        use_cg=False,
        dtype=np.float64,
        num_threads=1,
    )
    model.item_factors = start.astype(np.float64) * scale
    model.user_factors = np.zeros((USERS, dimensions))
    losses = []
    for _ in range(ITERATIONS):
        model.fit(users, show_progress=False)
        losses.append(loss(users, model.user_factors, model.item_factors, alpha, regularization))

    items = (model.item_factors / scale).astype(np.float32)
    model.item_factors = items.astype(np.float64) * scale
    model._YtY = None
    folded = model.recalculate_user(np.arange(USERS), users) / scale
    return {
        "dimensions": dimensions,
        "alpha": alpha,
        "regularization": regularization,
        "items": ITEMS,
        "offsets": users.indptr.tolist(),
        "columns": users.indices.tolist(),
        "start": digits(start),
        "losses": losses,
        "item_factors": digits(items),
        "folded": digits(folded),
    }


def digits(values):
    return [float(f"{value:.9g}") for value in values.ravel()]


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    path = root / "algorithms/tests/golden/factors.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [case(1, 8, 20.0, 0.1), case(2, 3, 5.0, 2.0)]
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
