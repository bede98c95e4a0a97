"""Integer work around the additions: listing which points to add next.

A reference is 2 * (row of the points array) + (1 for the negated point), or ~(row of the arena), where partial sums
are kept. A segment is a run of references whose points are to be summed: a bucket, or an output row.
These are subroutines of kernels; every index was derived from digits or lengths that were checked before.
"""

from __future__ import annotations

from typing import Any

# rows of the arena with a purpose of their own
INFINITY_ROW, CARRY_ROW, SINK_ROW, FREE_ROW = 0, 1, 2, 8
SIZE_CLASSES = 1024


def order_by_size(start: Any, segments: int, order: Any, counts: Any) -> None:
    """The segments by rising size (the large ones in any order): loops over equal sizes are predicted well."""
    counts[:] = 0
    for s in range(segments):
        counts[min(start[s + 1] - start[s], SIZE_CLASSES - 1) + 1] += 1
    for k in range(1, SIZE_CLASSES):
        counts[k] += counts[k - 1]
    for s in range(segments):
        size = min(start[s + 1] - start[s], SIZE_CLASSES - 1)
        order[counts[size]] = s
        counts[size] += 1


def take_chunk(
    start: Any, order: Any, begin: int, done: int, limit: int, references: Any, first: Any, count: Any
) -> Any:
    """The segments order[begin:..] that together have at most `limit` references: (number taken, done).

    A longer segment is taken alone, chunk by chunk: `done` is then how many of its references have been summed, 0
    when the chunk is its last. The sum so far waits in CARRY_ROW and is the first reference of the next chunk.
    """
    taken = total = 0
    while begin + taken < len(order):
        segment = order[begin + taken]
        at, size = start[segment], start[segment + 1] - start[segment]
        if done:
            references[at + done - 1] = ~CARRY_ROW
            at, size = at + done - 1, size - done + 1
        if taken and total + size > limit:
            break
        first[taken], count[taken] = at, min(size, limit)
        total += size
        taken += 1
        if size > limit:
            return taken, max(done - 1, 0) + limit
        done = 0
    return taken, 0


def pair_up(
    points: int, arena: int, row_bytes: int, references: Any, first: Any, count: Any, span: Any, row: int, lists: Any
) -> int:
    """Lists the next round: the references of each segment two by two, whose sums will be arena rows from `row` on.

    span = [begin, end) are the segments that may have pairs left; begin moves past finished ones (sizes rise).
    lists = (left, right) receive addresses with the sign in bit 0. Returns the number of pairs.
    """
    left, right = lists
    while span[0] < span[1] and count[span[0]] < 2:
        span[0] += 1
    pairs = 0
    for i in range(span[0], span[1]):
        at, half = first[i], count[i] >> 1
        for j in range(half):
            r, t = references[at + 2 * j], references[at + 2 * j + 1]
            left[pairs] = points + (r >> 1) * row_bytes + (r & 1) if r >= 0 else arena + ~r * row_bytes
            right[pairs] = points + (t >> 1) * row_bytes + (t & 1) if t >= 0 else arena + ~t * row_bytes
            references[at + j] = ~(row + pairs)
            pairs += 1
        if count[i] & 1:
            references[at + half] = references[at + count[i] - 1]
        count[i] -= half
    return pairs


def what_is_left(points: int, arena: int, row_bytes: int, references: Any, first: Any, count: Any, i: int) -> int:
    """The address, with its sign, of the sum of segment i once no pairs are left."""
    if count[i] == 0:
        return arena + INFINITY_ROW * row_bytes
    r: int = references[first[i]]
    return points + (r >> 1) * row_bytes + (r & 1) if r >= 0 else arena + ~r * row_bytes
