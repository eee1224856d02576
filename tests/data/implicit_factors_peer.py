"""Times implicit's alternating least squares on a matrix that `mercer bench factors` wrote.

    pip install implicit==0.7.3 numpy scipy
    OPENBLAS_NUM_THREADS=1 python implicit_factors_peer.py INDPTR INDICES START --items N
        [--dimensions 64] [--iterations 5] [--steps 3] [--alpha 20] [--regularization 0.1]
        [--threads 2]

INDPTR is raw little-endian u64, one entry more than there are users; INDICES is raw little-endian
u32, the items of each user; all values are 1. START is raw little-endian f32: the items' factors
that Mercer starts from. Users start from zeros, as there.

implicit weighs observed cells with alpha and all others with 1. Divided by alpha - 1 and completed
to a square, that is Mercer's objective with targets y = alpha / (alpha - 1) in place of 1; dividing
factors by sqrt(y) makes it Mercer's with alpha0 = 1 / (alpha - 1), lambda = regularization / alpha
and nu = 0. Prints one JSON object: seconds of each iteration, CPU seconds of all, and the loss in
Mercer's terms.
"""

import argparse
import json
import resource
import time

import implicit
import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix


def loss(matrix, users, items, alpha, regularization):
    scale = np.sqrt((alpha - 1) / alpha)
    users, items = users.astype(np.float64) * scale, items.astype(np.float64) * scale
    total = 0.0
    for first in range(0, matrix.shape[0], 4096):
        part = matrix[first : first + 4096]
        rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)) + first
        scores = np.einsum("ij,ij->i", users[rows], items[part.indices])
        total += np.square(1 - scores).sum()
    total += ((users.T @ users) * (items.T @ items)).sum() / (alpha - 1)
    return total + regularization / alpha * (np.square(users).sum() + np.square(items).sum())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("indptr")
    arguments.add_argument("indices")
    arguments.add_argument("start")
    arguments.add_argument("--items", type=int, required=True)
    arguments.add_argument("--dimensions", type=int, default=64)
    arguments.add_argument("--iterations", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=3)
    arguments.add_argument("--alpha", type=float, default=20.0)
    arguments.add_argument("--regularization", type=float, default=0.1)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()

    indptr = np.fromfile(options.indptr, dtype="<u8").astype(np.int64)
    indices = np.fromfile(options.indices, dtype="<u4").astype(np.int32)
    shape = (len(indptr) - 1, options.items)
    matrix = csr_matrix((np.ones(len(indices), dtype=np.float32), indices, indptr), shape=shape)
    start = np.fromfile(options.start, dtype="<f4").reshape(options.items, options.dimensions)

    model = AlternatingLeastSquares(
        factors=options.dimensions,
        regularization=options.regularization,
        alpha=options.alpha,
        iterations=options.iterations,
        num_threads=options.threads,
    )
    model.cg_steps = options.steps
    model.item_factors = start * np.float32(np.sqrt(options.alpha / (options.alpha - 1)))
    model.user_factors = np.zeros((shape[0], options.dimensions), dtype=np.float32)
    seconds, cpu_seconds = [], []
    cpu = time.process_time()

    def watch(_iteration, elapsed, _loss):
        nonlocal cpu
        seconds.append(round(elapsed, 4))
        cpu, before = time.process_time(), cpu
        cpu_seconds.append(round(cpu - before, 4))

    model.fit(matrix, show_progress=False, callback=watch)
    print(
        json.dumps(
            {
                "peer": f"implicit {implicit.__version__} AlternatingLeastSquares",
                "threads": options.threads,
                "iteration_seconds": seconds,
                "iteration_cpu_seconds": cpu_seconds,
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "loss": loss(
                    matrix,
                    model.user_factors,
                    model.item_factors,
                    options.alpha,
                    options.regularization,
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
