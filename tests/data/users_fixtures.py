"""Writes algorithms/tests/golden/users.json: users who are alike, and statistics of experiments.

    pip install scikit-learn==1.9.1 scipy==1.17.1 statsmodels==0.15.0 numpy==2.4.6
    python tests/data/users_fixtures.py

Similarities come from scikit-learn's cosine_similarity on the rows, on the rows centred by the mean
of each user's own values, and, on a matrix of ones, from numpy's corrcoef. Scores are the products of
the k best similarities with the values in numpy. Intervals come from statsmodels and scipy; the
off-policy estimates are the plain formulas of Swaminathan and Joachims (2015) over whole arrays.
"""

import json
import pathlib

import numpy as np
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

USERS, ITEMS, K = 70, 40, 8


def matrix(seed, weighted):
    random = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, ITEMS + 1) ** 0.7
    popularity /= popularity.sum()
    dense = np.zeros((USERS, ITEMS))
    for user in range(USERS):
        length = random.integers(1, 14)
        items = random.choice(ITEMS, size=length, replace=False, p=popularity)
        dense[user, items] = random.integers(1, 21, size=length) / 4 if weighted else 1.0
    return dense


def short(number):
    return float(f"{number:.8g}")


def centred(dense):
    known = dense != 0
    means = dense.sum(axis=1) / known.sum(axis=1)
    return np.where(known, dense - means[:, None], 0.0)


def neighbours(similarity, dense, values):
    """Per user the K best others above 0, and the scores that they give."""
    common = (dense != 0).astype(int) @ (dense != 0).astype(int).T
    rows = []
    for user, row in enumerate(similarity):
        row = np.where((common[user] > 0) & (row > 1e-9), np.nan_to_num(row), 0.0)
        row[user] = 0.0
        order = np.argsort(-row, kind="stable")[:K]
        order = order[row[order] > 0]
        # Two that tie, but for rounding, at the end of the list: any of them may be kept.
        rest = np.sort(row)[::-1][len(order) : len(order) + 1]
        is_clear = len(order) < K or row[order[-1]] - rest[0] > 1e-6
        rows.append(
            {
                "similar": [[int(v), short(row[v]), int(common[user, v])] for v in order],
                "scores": [short(x) for x in row[order] @ values[order]] if is_clear else None,
            }
        )
    return rows


def users(seed, weighted):
    dense = matrix(seed, weighted)
    off = centred(dense)
    pearson = cosine_similarity(off) if weighted else np.corrcoef(dense)
    known = [np.flatnonzero(row) for row in dense]
    return {
        "items": ITEMS,
        "k": K,
        "rows": [[[int(i), float(row[i])] for i in items] for row, items in zip(dense, known)],
        "weighted": weighted,
        "user-cosine": neighbours(cosine_similarity(dense), dense, dense),
        "user-pearson": neighbours(pearson, dense, off if weighted else dense),
    }


def rates():
    cases = []
    arms = [((12, 80), (5, 90)), ((0, 30), (4, 25)), ((50, 50), (49, 51)), ((901, 31000), (1040, 30500))]
    for one, two in arms:
        for confidence in (0.8, 0.95, 0.99):
            alpha = 1 - confidence
            low, high = proportion_confint(*one, alpha=alpha, method="wilson")
            difference = confint_proportions_2indep(*one, *two, method="newcomb", compare="diff", alpha=alpha)
            cases.append(
                {
                    "treated": one,
                    "control": two,
                    "confidence": confidence,
                    "interval": [float(low), float(high)],
                    "difference": [float(bound) for bound in difference],
                }
            )
    return cases


def means():
    random = np.random.default_rng(3)
    treated, control = random.gamma(2.0, 12.0, 60).round(2), random.gamma(2.0, 10.0, 45).round(2)
    compare = CompareMeans(DescrStatsW(treated), DescrStatsW(control))
    low, high = DescrStatsW(treated).tconfint_mean(alpha=0.05)
    return {
        "treated": treated.tolist(),
        "control": control.tolist(),
        "interval": [float(low), float(high)],
        "difference": [float(bound) for bound in compare.tconfint_diff(alpha=0.05, usevar="unequal")],
    }


def off_policy():
    random = np.random.default_rng(5)
    propensity = random.choice([0.05, 0.2, 0.25, 0.5, 1.0], 400)
    target = random.choice([0.0, 0.1, 0.25, 0.6], 400)
    reward = np.where(random.random(400) < 0.3, random.integers(1, 9, 400) / 2, 0.0)
    weights = target / propensity
    ips = weights * reward
    snips = ips.sum() / weights.sum()
    return {
        "exposures": np.column_stack([propensity, target, reward]).tolist(),
        "ips": [float(ips.mean()), float(stats.sem(ips))],
        "snips": [
            float(snips),
            float(np.sqrt((weights**2 * (reward - snips) ** 2).sum()) / weights.sum()),
        ],
        "effective": float(weights.sum() ** 2 / (weights**2).sum()),
    }


def sample_ratios():
    cases = []
    for counts, weights in [([480, 520], [1, 1]), ([900, 1010, 2150], [1, 1, 2]), ([10, 0], [3, 1])]:
        expected = np.array(weights) / sum(weights) * sum(counts)
        cases.append(
            {
                "counts": counts,
                "weights": weights,
                "probability": float(stats.chisquare(counts, expected).pvalue),
            }
        )
    return cases


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    golden = {
        "users": [users(1, False), users(2, True)],
        "rates": rates(),
        "means": means(),
        "off_policy": off_policy(),
        "sample_ratios": sample_ratios(),
    }
    path = root / "algorithms/tests/golden/users.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
