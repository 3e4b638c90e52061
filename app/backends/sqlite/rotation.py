"""A rotation of vectors before their signs are taken, so that every sign tells the same about an angle.

Signs of components as they are tell little where few components carry most of a vector, and half of them is noise.
Of 1,000 vectors of 1,024 components with a power-law spectrum a scan of 200 found 0.39 of the exact top 10, of 10,000
0.83; after the rotation 1.00 and 0.997 (measured 2026-11). Components are multiplied by fixed signs, put in a fixed
order, and taken through Hadamard matrices block by block, which is an isometry. All sums are of multiples of 2^-24
below 2^29, so double precision adds them exactly, in whatever order: the number rotated at once does not matter.

The local embedder's 512 components are of even variance, and their own signs tell a little more (0.988 of the exact top
10 of 100,000 with 400 candidates, 0.975 after the rotation), so vectors of that size are left as they are.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EVEN = 512
"""The size that is left as it is: the local embedder's."""
_LEAST_BLOCK = 64
_SEED = 20_261_122
_Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rotation:
    signs: _Matrix
    order: NDArray[np.intp]
    blocks: int
    left: _Matrix
    right: _Matrix


def rotate(stored: NDArray[np.float16]) -> NDArray[np.float16] | _Matrix:
    """A vector (d,) or several (n, d) after the rotation, not scaled; as they are where their size asks for none."""
    dimensions = stored.shape[-1]
    plan = _plan(dimensions)
    if plan is None:
        return stored
    ordered = (stored.astype(np.float64) * plan.signs)[..., plan.order]
    blocks = ordered.reshape(*stored.shape[:-1], plan.blocks, len(plan.left), len(plan.right))
    turned: _Matrix = plan.left @ blocks @ plan.right
    return turned.reshape(stored.shape)


@lru_cache(maxsize=8)
def _plan(dimensions: int) -> _Rotation | None:
    block = dimensions & -dimensions
    if dimensions == EVEN or block < _LEAST_BLOCK:
        return None
    generator = np.random.default_rng((_SEED, dimensions))
    rows = 1 << ((block.bit_length() - 1) // 2)
    return _Rotation(
        signs=generator.choice([-1.0, 1.0], dimensions),
        order=generator.permutation(dimensions),
        blocks=dimensions // block,
        left=_hadamard(rows),
        right=_hadamard(block // rows),
    )


def _hadamard(size: int) -> _Matrix:
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
