"""The arithmetic of windows is what counting gives: windows are put down one by one.

An axis has pixels 0 to size - 1; padding lies before and after it. A window touches `kernel`
pixels, `dilation` apart; the first starts where the padding does, and each next `stride` further.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from archcompiler.fields import Pads, Width
from archcompiler.op import ShapeError
from archcompiler.window import follows_size, output_size, overhang, pads, resolve_kernel

AXES = tuple(itertools.product(range(1, 9), range(1, 5), range(1, 5), range(1, 4)))
"""Sizes, kernels, strides, dilations."""
OTHER = (5, 3, 2, 1)
"""An axis that stands beside each of them; it is like few of them."""
SIDES = tuple(itertools.product(range(3), repeat=2))


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a map under a window."""

    size: int
    kernel: int
    stride: int
    dilation: int = 1

    def touched(self, window: int, before: int) -> range:
        start = window * self.stride - before
        return range(start, start + self.kernel * self.dilation, self.dilation)

    def inside(self, before: int, after: int) -> int:
        """Count the windows that lie on the map and its padding."""
        end = self.size + after
        return next(n for n in itertools.count() if self.touched(n, before)[-1] >= end)

    def reaching(self, before: int, after: int) -> int:
        """Count the windows until one reaches the end, of those that start before it."""
        last = self.size + after - 1
        count = 1 + next(n for n in itertools.count() if self.touched(n, before)[-1] >= last)
        return sum(self.touched(n, before)[0] < self.size for n in range(count))

    def same(self) -> tuple[int, int]:
        """Return the least padding that gives a window for each `stride` pixels or part of them."""
        wanted = len(range(0, self.size, self.stride))
        before = after = 0
        while self.inside(before, after) < wanted:
            before, after = (before, after + 1) if before == after else (after, after)
        return before, after


def both(axis: Axis, other: Axis) -> Iterator[tuple[Axis, Axis]]:
    yield from ((axis, other), (other, axis))


def pairs() -> Iterator[tuple[Axis, Axis]]:
    for numbers in AXES:
        yield from both(Axis(*numbers), Axis(*OTHER))


def columns(one: Axis, other: Axis) -> tuple[tuple[int, int], ...]:
    return (
        (one.size, other.size),
        (one.kernel, other.kernel),
        (one.stride, other.stride),
        (one.dilation, other.dilation),
    )


def test_padding_is_the_least_that_keeps_the_size() -> None:
    for one, other in pairs():
        shape, kernel, stride, dilation = columns(one, other)
        wanted = (*one.same(), *other.same())
        assert pads((*shape, 7), kernel, stride, "same", dilation) == wanted
        if dilation == (1, 1):
            assert pads(shape, kernel, stride, "same") == wanted
        assert pads(shape, kernel, stride, "valid", dilation) == (0, 0, 0, 0)
        assert pads(shape, kernel, stride, (4, 3, 2, 1), dilation) == (4, 3, 2, 1)


def test_outputs_are_the_windows_that_fit() -> None:
    refused = 0
    for one, other in pairs():
        shape, kernel, stride, dilation = columns(one, other)
        for before, after in SIDES:
            around = (before, after, after, before)
            wanted = (one.inside(before, after), other.inside(after, before))
            if 0 in wanted:
                refused += 1
                with pytest.raises(ShapeError):
                    output_size(shape, kernel, stride, around, dilation=dilation)
            else:
                found = output_size(shape, kernel, stride, around, dilation=dilation)
                assert found == wanted
        sames = (one.same(), other.same())
        wanted = (one.inside(*sames[0]), other.inside(*sames[1]))
        assert output_size(shape, kernel, stride, "same", dilation=dilation) == wanted
    assert refused > 100


def test_ceil_mode_covers_the_map() -> None:
    reached = 0
    for one, other in pairs():
        shape, kernel, stride, dilation = columns(one, other)
        for before, after in SIDES:
            around: Pads = (before, after, after, before)
            too_much = max(before, after) >= min(kernel)
            if (
                dilation != (1, 1)
                or too_much
                or not (one.inside(before, after) and other.inside(after, before))
            ):
                continue
            wanted = (one.reaching(before, after), other.reaching(after, before))
            found = output_size(shape, kernel, stride, around, ceil_mode=True)
            assert found == wanted
            below = one.touched(wanted[0] - 1, before)[-1] - (one.size - 1)
            beside = other.touched(wanted[1] - 1, after)[-1] - (other.size - 1)
            grown = (before, max(after, below), after, max(before, beside))
            assert overhang(shape, kernel, stride, around, found) == grown
            reached += grown != around
    assert reached > 100


def test_what_follows_the_size_differs_between_sizes() -> None:
    for numbers in itertools.product(range(1, 5), range(1, 5), range(1, 4)):
        differs = len({Axis(n, *numbers).same() for n in range(1, 12)}) > 1
        for one, other in both(Axis(1, *numbers), Axis(1, 3, 1)):
            _, kernel, stride, _ = columns(one, other)
            assert follows_size({}, kernel, stride, "same") is differs
            for padding in ("valid", (1, 2, 3, 4)):
                assert follows_size({}, kernel, stride, padding) is False
                assert follows_size({"shrink": False}, kernel, stride, padding) is False
                assert follows_size({"kernel": "map"}, kernel, stride, padding) is True
                assert follows_size({"shrink": True}, kernel, stride, padding) is True


@pytest.mark.parametrize(
    ("kernel", "shrink", "shape", "wanted"),
    [
        ((3, 5), None, (2, 4, 9), (3, 5)),
        ((3, 5), False, (2, 4, 9), (3, 5)),
        ((3, 5), True, (2, 4, 9), (2, 4)),
        ((3, 5), True, (7, 4, 1), (3, 4)),
        ((3, 5), True, (2, 9, 1), (2, 5)),
        ((3, 5), True, (6, 8, 1), (3, 5)),
        ((3, 5), True, (9,), (3, 5)),
        ("map", None, (2, 4, 9), (2, 4)),
        ("map", True, (2, 4, 9), (2, 4)),
        ("map", None, (9,), (1, 1)),
    ],
)
def test_kernels_follow_the_map(
    kernel: object, shrink: bool | None, shape: tuple[int, ...], wanted: tuple[int, int]
) -> None:
    written = {"kernel": kernel} | ({} if shrink is None else {"shrink": shrink})
    resolve_kernel(written, shape)
    assert written == {"kernel": wanted}


@pytest.mark.parametrize(
    ("multiplier", "minimum", "filters", "wanted"),
    [(0.5, 1, 7, 3), (0.5, 4, 7, 4), (2.0, 1, 7, 14), (0.1, 1, 7, 1), (0.5, 3, 6, 3)],
)
def test_widths(multiplier: float, minimum: int, filters: int, wanted: int) -> None:
    assert Width(multiplier, minimum).scale(filters) == wanted


@pytest.mark.parametrize(
    ("shape", "kernel", "padding", "dilation", "message"),
    [
        ((4, 9), (5, 3), "valid", (1, 1), "the kernel is 5 high but the map only 4"),
        ((9, 4), (3, 5), "valid", (1, 1), "the kernel is 5 wide but the map only 4"),
        ((4, 9), (3, 3), "valid", (2, 1), "the dilated kernel is 5 high but the map only 4"),
        ((9, 4), (3, 3), "valid", (1, 2), "the dilated kernel is 5 wide but the map only 4"),
        ((2, 9), (9, 3), (2, 1, 9, 9), (1, 2),
         "the kernel is 9 high but the map only 2 with its padding of 3"),
        ((2, 9), (9, 3), (1, 1, 9, 9), (1, 1),
         "the kernel is 9 high but the map only 2 with its padding of 2"),
        ((9, 2), (3, 9), (9, 9, 0, 2), (1, 1),
         "the kernel is 9 wide but the map only 2 with its padding of 2"),
        ((9, 2), (3, 9), (9, 9, 1, 0), (2, 1),
         "the kernel is 9 wide but the map only 2 with its padding of 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit(
    shape: tuple[int, int],
    kernel: tuple[int, int],
    padding: object,
    dilation: tuple[int, int],
    message: str,
) -> None:
    with pytest.raises(ShapeError) as caught:
        output_size(shape, kernel, (1, 1), padding, dilation=dilation)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.message) == ("E404", message)
    assert caught.value.field == "kernel"
