"""The marks of what was redriven, against a set of offsets."""

from __future__ import annotations

import random
from array import array

from hypothesis import given
from hypothesis import strategies as st

from hookline.dead_letters.marks import Marks, Progress
from hookline.engine.records import OffsetCommit

OFFSETS = st.sets(st.integers(0, 120), max_size=60)


def progress_of(offsets: set[int], marks: Marks, end: int) -> Progress:
    return Progress(marks, array("q", sorted(offset for offset in offsets if offset >= marks.watermark)), end)


def test_nothing_committed_means_nothing_redriven():
    assert 0 not in Marks(None)
    assert "0" not in Marks(OffsetCommit(5))


def test_all_redriven_is_a_commit_of_the_end_without_a_map():
    progress = progress_of({3, 4, 9}, Marks(None), 12)
    progress.add([3, 4, 9])
    assert progress.commit() == OffsetCommit(12)


def test_foreign_metadata_marks_nothing_above_the_offset():
    marks = Marks(OffsetCommit(5, "written by another program"))
    assert (4 in marks, 5 in marks, 6 in marks) == (True, False, False)


@given(OFFSETS, st.lists(OFFSETS, max_size=4))
def test_what_was_redriven_is_marked_from_one_redrive_to_the_next_and_nothing_else(
    offsets: set[int], rounds: list[set[int]]
):
    end = max(offsets, default=0) + 1
    commit: OffsetCommit | None = None
    redriven: set[int] = set()
    for chosen in rounds:
        marks = Marks(commit)
        progress = progress_of(offsets, marks, end)
        assert progress.has_room_for(chosen & offsets)
        progress.add(chosen)
        redriven |= chosen & offsets
        commit = progress.commit()
        assert {offset for offset in offsets if offset in Marks(commit)} == redriven
        assert end not in Marks(commit)


@given(OFFSETS, OFFSETS, OFFSETS)
def test_what_somebody_else_redrove_meanwhile_is_kept(offsets: set[int], ours: set[int], theirs: set[int]):
    end = max(offsets, default=0) + 1
    other = progress_of(offsets, Marks(None), end)
    other.add(theirs)
    progress = progress_of(offsets, Marks(None), end)
    progress.merge(Marks(other.commit()))
    progress.add(ours)
    found = Marks(progress.commit())
    assert {offset for offset in offsets if offset in found} == offsets & (ours | theirs)


def test_marks_too_scattered_are_known_before_anything_is_sent():
    # Distances without a pattern do not deflate.
    generator = random.Random(1)
    offsets = array("q", sorted(generator.sample(range(10_000_000), 6000)))
    progress = Progress(Marks(None), offsets, 10_000_000)
    assert not progress.has_room_for(offsets[1::2])
    assert progress.has_room_for(offsets)
    assert progress.has_room_for(offsets[:3000])


def test_when_the_map_is_full_the_highest_marks_are_left_out_and_none_made_up():
    offsets = array("q", [n * n for n in range(6000)])
    progress = Progress(Marks(None), offsets, offsets[-1] + 1)
    chosen = set(offsets[1::2])
    progress.add(chosen)
    marks = Marks(progress.commit())
    marked = {offset for offset in offsets if offset in marks}
    assert marked < chosen
    assert len(marked) > 500
    assert max(marked) < min(chosen - marked)
