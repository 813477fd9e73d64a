"""Order in a graph: which node after which, and which of them never.

A graph is a mapping from every node to the nodes that follow it, each as often
as there are edges to it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

__all__ = ["find_cycle", "order"]


def order(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the nodes so that each comes after all that lead to it.

    Among equals the order of the mapping stays. Nodes of a cycle, and those
    behind one, are left out. Takes time in proportion to nodes and edges.

    Source: Kahn, *Topological sorting of large networks*, CACM 5 (11), 1962.
    """
    waiting = Counter(each for followers in graph.values() for each in followers)
    ready = deque(name for name in graph if not waiting[name])
    done: list[str] = []
    while ready:
        name = ready.popleft()
        done.append(name)
        for follower in graph[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    return done


def find_cycle(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the nodes of one cycle in order, or an empty tuple if there is none."""
    sorted_out = set(order(graph))
    stuck = [name for name in graph if name not in sorted_out]
    if not stuck:
        return ()
    # A stuck node has a stuck predecessor: going back from one must meet itself.
    trail: list[str] = []
    name = stuck[0]
    while name not in trail:
        trail.append(name)
        name = next(each for each in stuck if name in graph[each])
    first, *others = trail[trail.index(name) :]
    return (first, *reversed(others))
