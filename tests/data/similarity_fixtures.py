"""Writes algorithms/tests/golden/similarity.json: neighbourhoods by other people's code.

    pip install implicit==0.7.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
    python tests/data/similarity_fixtures.py

Small matrices, one of ones and two of values, the last with exponents and shrinkage. Cosine, TF-IDF
and BM25 come from implicit (cosines are compared with scikit-learn's cosine_similarity), adjusted
cosine and Pearson from scikit-learn on centred sparse matrices, the log-likelihood ratio from
scipy's G-test, walks from stochastic matrices in scipy, Jaccard from scikit-learn's metric. Of each
item the `k` best others are kept, all those that tie with the last included.
"""

import json
import pathlib

import numpy as np
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from scipy.sparse import csr_matrix, diags
from scipy.stats import chi2_contingency
from sklearn.metrics import jaccard_score
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


def by_implicit(model, users):
    # All neighbours: implicit breaks ties in another order, and counts the item itself.
    model.fit(users.astype(np.float64), show_progress=False)
    similarity = model.similarity.toarray()
    np.fill_diagonal(similarity, 0.0)
    return similarity


def cosine(users):
    similarity = by_implicit(CosineRecommender(K=ITEMS, num_threads=1), users)
    check = cosine_similarity(users.T.astype(np.float64))
    np.fill_diagonal(check, 0.0)
    assert np.abs(similarity - check).max() < 1e-9
    return similarity


def centred(users, axis):
    """Cosines of stored values less the mean of their user (axis 0) or item (axis 1)."""
    matrix = (users if axis == 0 else users.T.tocsr()).astype(np.float64).tocsr()
    means = matrix.sum(axis=1).A1 / np.maximum(np.diff(matrix.indptr), 1)
    matrix.data -= np.repeat(means, np.diff(matrix.indptr))
    similarity = cosine_similarity(matrix.T if axis == 0 else matrix)
    similarity[np.abs(similarity) < 1e-12] = 0.0
    np.fill_diagonal(similarity, 0.0)
    return similarity


def walk(users, alpha, beta):
    users = users.astype(np.float64)
    to_item = (diags(1.0 / users.sum(axis=1).A1) @ users).power(alpha)
    totals = np.maximum(users.sum(axis=0).A1, 1e-300)
    to_user = (diags(1.0 / totals) @ users.T).power(alpha)
    walk = (to_user @ to_item).toarray() / totals**beta
    walk[:, users.sum(axis=0).A1 == 0] = 0.0
    np.fill_diagonal(walk, 0.0)
    return walk


def asymmetric(users, a):
    users = users.astype(np.float64)
    dot = (users.T @ users).toarray()
    squares = np.maximum(np.diag(dot).copy(), 1e-300)
    np.fill_diagonal(dot, 0.0)
    return dot / (squares[:, None] ** a * squares[None, :] ** (1 - a))


def counts(users):
    binary = (users > 0).astype(np.float64)
    common = (binary.T @ binary).toarray()
    return common


def jaccard(users):
    binary = (users > 0).toarray().astype(int)
    similarity = np.zeros((ITEMS, ITEMS))
    for i in range(ITEMS):
        for j in range(ITEMS):
            if i != j and (binary[:, i] & binary[:, j]).any():
                similarity[i, j] = jaccard_score(binary[:, i], binary[:, j])
    return similarity


def log_likelihood_ratio(users):
    common = counts(users)
    degree = np.diag(common)
    ratio = np.zeros((ITEMS, ITEMS))
    for i in range(ITEMS):
        for j in range(ITEMS):
            both = common[i, j]
            if i != j and both * USERS > degree[i] * degree[j]:
                table = [
                    [both, degree[i] - both],
                    [degree[j] - both, USERS - degree[i] - degree[j] + both],
                ]
                if min(np.sum(table, axis=0)) == 0 or min(np.sum(table, axis=1)) == 0:
                    continue
                ratio[i, j] = chi2_contingency(
                    table, correction=False, lambda_="log-likelihood"
                ).statistic
    return ratio


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


def case(seed, weighted, alpha=1.0, beta=0.4, asymmetry=0.3, shrinkage=0.0):
    users = matrix(seed, weighted)
    common = counts(users)
    shrink = lambda similarity: best(similarity * common / (common + shrinkage + 1e-300))
    return {
        "k": K,
        "items": ITEMS,
        "alpha": alpha,
        "beta": beta,
        "asymmetry": asymmetry,
        "shrinkage": shrinkage,
        "offsets": users.indptr.tolist(),
        "columns": users.indices.tolist(),
        "values": users.data.tolist() if weighted else None,
        "item-cosine": shrink(cosine(users)),
        "item-adjusted-cosine": shrink(centred(users, 0)),
        "item-pearson": shrink(centred(users, 1)),
        "item-jaccard": shrink(jaccard(users)),
        "item-llr": shrink(log_likelihood_ratio(users)),
        "item-tfidf": shrink(by_implicit(TFIDFRecommender(K=ITEMS, num_threads=1), users)),
        "item-bm25": shrink(by_implicit(BM25Recommender(K=ITEMS, num_threads=1), users)),
        "item-asymmetric-cosine": shrink(asymmetric(users, asymmetry)),
        "p3": shrink(walk(users, alpha, 0.0)),
        "rp3beta": shrink(walk(users, alpha, beta)),
    }


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    path = root / "algorithms/tests/golden/similarity.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [
        case(1, False),
        case(2, True),
        case(3, True, alpha=0.7, beta=0.6, asymmetry=0.8, shrinkage=5.0),
    ]
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
