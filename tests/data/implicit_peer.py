"""Times implicit's exact item-item cosine on a matrix that `mercer bench train` wrote.

    pip install implicit==0.7.3 numpy scipy
    OPENBLAS_NUM_THREADS=1 python implicit_peer.py INDPTR INDICES [--items N] [--k 100] [--threads 2]

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
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("indptr")
    arguments.add_argument("indices")
    arguments.add_argument("--items", type=int, help="default: the largest index and one")
    arguments.add_argument("--k", type=int, default=100)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()

    indptr = np.fromfile(options.indptr, dtype="<u8").astype(np.int64)
    indices = np.fromfile(options.indices, dtype="<u4").astype(np.int32)
    items = options.items or int(indices.max()) + 1
    matrix = csr_matrix(
        (np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, items)
    )

    model = CosineRecommender(K=options.k + 1, num_threads=options.threads)
    cpu = time.process_time()
    start = time.perf_counter()
    model.fit(matrix, show_progress=False)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu

    similarity = model.similarity.tocsr()
    diagonal = similarity.diagonal()
    print(
        json.dumps(
            {
                "peer": f"implicit {implicit.__version__} CosineRecommender",
                "threads": options.threads,
                "users": matrix.shape[0],
                "items": items,
                "interactions": int(matrix.nnz),
                "fit_seconds": round(seconds, 3),
                "cpu_seconds": round(cpu, 3),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "neighbours": int(similarity.nnz - np.count_nonzero(diagonal)),
                "score_sum": float(similarity.sum() - diagonal.sum()),
            }
        )
    )


if __name__ == "__main__":
    main()
