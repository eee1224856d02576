"""Times other people's exact neighbourhoods on a matrix that `mercer bench train` wrote: implicit's
cosine, TF-IDF and BM25; for p3 two stochastic matrices multiplied by scipy, in blocks of rows.

    pip install implicit==0.7.3 numpy scipy
    OPENBLAS_NUM_THREADS=1 python implicit_peer.py INDPTR INDICES [--items N] [--k 100] [--threads 2]
        [--algorithm item-cosine|item-tfidf|item-bm25|p3]

INDPTR is raw little-endian u64, one entry more than there are users; INDICES is raw little-endian
u32, the items of each user. All values are 1. Prints one JSON object: seconds of fit, CPU seconds,
peak memory, neighbours kept and the sum of their scores. implicit counts the item itself as its
nearest neighbour, so k + 1 are asked for and the diagonal is left out of count and sum.
"""

import argparse
import json
import resource
import time

import implicit
import numpy as np
import scipy
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from scipy.sparse import csr_matrix, diags

BLOCK = 1_000
MODELS = {
    "item-cosine": CosineRecommender,
    "item-tfidf": TFIDFRecommender,
    "item-bm25": BM25Recommender,
}


def walks(matrix, k):
    """Number and sum of the k greatest probabilities of every item's walk, itself left out."""
    to_item = diags(1.0 / np.maximum(matrix.sum(axis=1).A1, 1)) @ matrix
    to_user = (diags(1.0 / np.maximum(matrix.sum(axis=0).A1, 1)) @ matrix.T).tocsr()
    count, total = 0, 0.0
    for start in range(0, to_user.shape[0], BLOCK):
        block = (to_user[start : start + BLOCK] @ to_item).tocsr()
        for row in range(block.shape[0]):
            begin, end = block.indptr[row], block.indptr[row + 1]
            values = block.data[begin:end][block.indices[begin:end] != start + row]
            if len(values) > k:
                values = np.partition(values, len(values) - k)[-k:]
            count += len(values)
            total += values.sum()
    return count, total


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("indptr")
    arguments.add_argument("indices")
    arguments.add_argument("--items", type=int, help="default: the largest index and one")
    arguments.add_argument("--k", type=int, default=100)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--algorithm", default="item-cosine", choices=[*MODELS, "p3"])
    options = arguments.parse_args()

    indptr = np.fromfile(options.indptr, dtype="<u8").astype(np.int64)
    indices = np.fromfile(options.indices, dtype="<u4").astype(np.int32)
    items = options.items or int(indices.max()) + 1
    matrix = csr_matrix(
        (np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, items)
    )

    cpu = time.process_time()
    start = time.perf_counter()
    if options.algorithm == "p3":
        peer, threads = f"scipy {scipy.__version__} product and numpy top k", 1
        neighbours, score_sum = walks(matrix, options.k)
    else:
        model = MODELS[options.algorithm](K=options.k + 1, num_threads=options.threads)
        peer, threads = f"implicit {implicit.__version__} {type(model).__name__}", options.threads
        model.fit(matrix, show_progress=False)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu

    if options.algorithm != "p3":
        similarity = model.similarity.tocsr()
        diagonal = similarity.diagonal()
        neighbours = int(similarity.nnz - np.count_nonzero(diagonal))
        score_sum = float(similarity.sum() - diagonal.sum())
    print(
        json.dumps(
            {
                "peer": peer,
                "threads": threads,
                "users": matrix.shape[0],
                "items": items,
                "interactions": int(matrix.nnz),
                "fit_seconds": round(seconds, 3),
                "cpu_seconds": round(cpu, 3),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "neighbours": int(neighbours),
                "score_sum": float(score_sum),
            }
        )
    )


if __name__ == "__main__":
    main()
