"""Writes algorithms/tests/golden/similarity.json: neighbourhoods by other people's code.

    pip install implicit==0.7.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
    python tests/data/similarity_fixtures.py

Two small matrices, one of ones and one of values. Cosines come from implicit's CosineRecommender
and are compared with scikit-learn's cosine_similarity; P3 comes from two stochastic matrices in
scipy. Of each item the `k` best others are kept, all those that tie with the last included.
"""

import json
import pathlib

import numpy as np
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix, diags
from sklearn.metrics.pairwise import cosine_similarity

USERS, ITEMS, K = 120, 60, 10


def matrix(seed, weighted):
    random = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, ITEMS + 1) ** 0.8
    popularity /= popularity.sum()
    dense = np.zeros((USERS, ITEMS), dtype=np.float32)
    for user in range(USERS):
        length = random.integers(1, 14)
        items = random.choice(ITEMS, size=length, replace=False, p=popularity)
        values = random.integers(1, 33, size=length) / 4 if weighted else 1.0
        dense[user, items] = values
    order = np.argsort(-(dense > 0).sum(axis=0), kind="stable")
    return csr_matrix(dense[:, order])


def cosine(users):
    # All neighbours: implicit breaks ties in another order, and counts the item itself.
    model = CosineRecommender(K=ITEMS, num_threads=1)
    model.fit(users.astype(np.float64), show_progress=False)
    similarity = model.similarity.toarray()
    np.fill_diagonal(similarity, 0.0)
    check = cosine_similarity(users.T.astype(np.float64))
    np.fill_diagonal(check, 0.0)
    assert np.abs(similarity - check).max() < 1e-9
    return similarity


def p3(users):
    users = users.astype(np.float64)
    to_item = diags(1.0 / users.sum(axis=1).A1) @ users
    to_user = diags(1.0 / np.maximum(users.sum(axis=0).A1, 1e-300)) @ users.T
    walk = (to_user @ to_item).toarray()
    np.fill_diagonal(walk, 0.0)
    return walk


def best(similarity):
    rows = []
    for row in similarity:
        order = np.argsort(-row, kind="stable")
        kept = [int(j) for j in order if row[j] > 0]
        if len(kept) > K:
            bar = row[kept[K - 1]] * (1 - 1e-6)
            kept = [j for j in kept if row[j] >= bar]
        rows.append([[j, float(f"{row[j]:.9g}")] for j in kept])
    return rows


def case(seed, weighted):
    users = matrix(seed, weighted)
    return {
        "k": K,
        "items": ITEMS,
        "offsets": users.indptr.tolist(),
        "columns": users.indices.tolist(),
        "values": users.data.tolist() if weighted else None,
        "item-cosine": best(cosine(users)),
        "p3": best(p3(users)),
    }


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    path = root / "algorithms/tests/golden/similarity.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [case(1, False), case(2, True)]
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
