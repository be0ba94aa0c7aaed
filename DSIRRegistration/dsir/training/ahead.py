"""Examples drawn ahead of the step that needs them, by processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

Example = TypeVar("Example")


class Numbered(Dataset[Example], Generic[Example]):
    """Examples by their number, as a data set."""

    def __init__(self, draw: Callable[[int], Example]) -> None:
        self.draw = draw

    def __getitem__(self, number: int) -> Example:
        return self.draw(number)


def drawn(draw: Callable[[int], Example], numbers: Iterable[int], workers: int) -> Iterator[Example]:
    """The examples of these numbers, in order, whoever drew them.

    Args:
        draw: an example depends on its number alone, so that any process may draw it. Of tensors on the CPU.
        numbers: of the examples; there may be no end of them.
        workers: processes that draw ahead; 0: this one, when an example is asked for.
    """
    # One example at a time and left as it is: the loader's own batches would put views of many sizes on top of others.
    loader = DataLoader(Numbered(draw), sampler=numbers, batch_size=None, num_workers=workers, collate_fn=_as_it_is)
    return iter(loader)


def _as_it_is(example: Example) -> Example:
    return example
