"""Writes algorithms/tests/golden/linear.json: linear models and TF-IDF by other people's code.

    pip install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
    python tests/data/linear_fixtures.py

EASE from numpy's inverse of the products, its local form from inverses among each item's
neighbourhood (greatest scikit-learn cosine_similarity), SLIM from scikit-learn's ElasticNet on the
neighbourhood's columns. Cosines of texts from scikit-learn's TfidfVectorizer, those of texts and
attributes from its CountVectorizer and TfidfTransformer with the attributes' columns scaled before
items get length 1. The matrix of ones has neighbourhoods of all items that share a user, because
their cosines tie.
"""

import json
import pathlib
import re

import numpy as np
from scipy.sparse import diags
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import ElasticNet
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

USERS, ITEMS = 90, 32
TEXTS = 30
MIN_ITEMS, MAX_SHARE, ATTRIBUTE_WEIGHT = 2, 0.6, 1.5


def matrix(seed, weighted):
    random = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, ITEMS + 1) ** 0.8
    popularity /= popularity.sum()
    dense = np.zeros((USERS, ITEMS), dtype=np.float32)
    for user in range(USERS):
        length = random.integers(1, 9)
        items = random.choice(ITEMS, size=length, replace=False, p=popularity)
        dense[user, items] = random.random(length, dtype=np.float32) + 0.5 if weighted else 1.0
    return dense


def neighbourhood(cosines, target, size):
    order = [item for item in np.argsort(-cosines[target]) if cosines[target, item] > 0]
    assert size >= len(order) or cosines[target, order[size - 1]] > cosines[target, order[size]] + 1e-6
    return order[:size]


def ease(users, regularization):
    inverse = np.linalg.inv(users.T @ users + regularization * np.eye(ITEMS))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def linear(seed, weighted, regularization, size, alpha, l1_ratio):
    users = matrix(seed, weighted)
    rows = [np.flatnonzero(user) for user in users]
    case = {
        "items": ITEMS,
        "offsets": np.cumsum([0] + [len(row) for row in rows]).tolist(),
        "columns": np.concatenate(rows).tolist(),
        "values": [float(value) for value in np.concatenate([u[r] for u, r in zip(users, rows)])],
        "regularization": regularization,
        "neighbourhood": size,
        "l1": USERS * alpha * l1_ratio,
        "l2": USERS * alpha * (1 - l1_ratio),
    }
    users = users.astype(np.float64)
    cosines = cosine_similarity(users.T)
    np.fill_diagonal(cosines, 0.0)
    local = np.zeros((ITEMS, ITEMS))
    slim = np.zeros((ITEMS, ITEMS))
    for target in range(ITEMS):
        near = neighbourhood(cosines, target, size)
        if not near:
            continue
        among = users[:, near + [target]]
        inverse = np.linalg.inv(among.T @ among + regularization * np.eye(len(near) + 1))
        local[near, target] = -inverse[:-1, -1] / inverse[-1, -1]
        net = ElasticNet(
            alpha=alpha, l1_ratio=l1_ratio, positive=True, fit_intercept=False,
            max_iter=1_000_000, tol=1e-14,
        )
        slim[near, target] = net.fit(users[:, near], users[:, target]).coef_
    case["ease"] = triples(ease(users, regularization))
    case["sparse-ease"] = triples(local)
    case["slim"] = triples(slim)
    return case


def triples(weights):
    return [
        [int(row), int(column), float(f"{weights[row, column]:.8g}")]
        for row, column in zip(*np.nonzero(weights))
    ]


def texts(random):
    things = "Kleid Rock SCHUH Mütze coat Straße table ÉTÉ".split()
    colours = "red blue grün gelb rot".split()
    rest = "the the and 42 42 7 with-belt of_silk über, soft. ¡ola! x2".split()
    items = []
    for _ in range(TEXTS):
        items.append({
            "title": " ".join(random.choice(colours, 1)) + "  " + random.choice(things),
            "description": " ".join(random.choice(rest, random.integers(0, 7))),
            "category": ["Mode", str(random.choice(["Damen", "Herren"]))][: random.integers(0, 3)],
            "brand": str(random.choice(["", "Acme", "Red"])),
            "attributes": {"size": str(random.choice(["S", "M", "42"]))} if random.random() < 0.7 else {},
        })
    return items


def words(item):
    return re.findall(r"[^\W_]+", (item["title"] + " " + item["description"]).lower())


def attributes(item):
    path = item["category"]
    terms = [("category", *path[: level + 1]) for level in range(len(path))]
    terms += [("brand", item["brand"])] if item["brand"] else []
    terms += [("attribute", *pair) for pair in item["attributes"].items()]
    # No word has an @.
    return ["@".join(["", *term]) for term in terms]


def content():
    items = texts(np.random.default_rng(5))
    vectorizer = TfidfVectorizer(
        token_pattern=r"[^\W_]+", min_df=MIN_ITEMS, max_df=MAX_SHARE
    )
    plain = vectorizer.fit_transform([item["title"] + " " + item["description"] for item in items])
    counter = CountVectorizer(
        analyzer=lambda item: words(item) + attributes(item), min_df=MIN_ITEMS, max_df=MAX_SHARE
    )
    counts = counter.fit_transform(items)
    idf = TfidfTransformer(norm=None).fit_transform(counts)
    names = counter.get_feature_names_out()
    scale = [ATTRIBUTE_WEIGHT if name.startswith("@") else 1.0 for name in names]
    both = normalize(idf @ diags(scale))
    return {
        "items": items,
        "min_items": MIN_ITEMS,
        "max_share": MAX_SHARE,
        "attribute_weight": ATTRIBUTE_WEIGHT,
        "text": triples(cosines(plain)),
        "all": triples(cosines(both)),
    }


def cosines(vectors):
    cosines = (vectors @ vectors.T).toarray()
    np.fill_diagonal(cosines, 0.0)
    return cosines


def main():
    golden = {
        "linear": [
            linear(1, False, 20.0, ITEMS, 0.02, 0.5),
            linear(2, True, 0.5, 8, 0.01, 0.9),
            linear(3, True, 100.0, 3, 0.005, 0.1),
        ],
        "content": content(),
    }
    path = pathlib.Path(__file__).parents[2] / "algorithms/tests/golden/linear.json"
    path.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
