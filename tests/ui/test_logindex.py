"""Any line of any log, found at once: held against a naive reading of the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.ui.log import index as logindex
from lightning_tui.ui.log.index import BLOCK, TAIL, LogIndex, LogReading


def naive(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def all_lines(index: LogIndex) -> list[bytes]:
    return [index.line(number) for number in range(index.lines)]


pieces = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.integers(1, 400).map(lambda n: b"line\n" * n),
        st.integers(1, BLOCK - 1).map(lambda n: b"x" * n + b"\n"),
    ),
    max_size=12,
)


@given(pieces, st.sampled_from([7, 1000, 1 << 20]))
def test_every_line_reads_as_in_a_naive_reading(parts: list[bytes], chunk: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        index = LogIndex(path)
        written = b""
        original, logindex.CHUNK = logindex.CHUNK, chunk
        try:
            with path.open("wb", buffering=0) as file:
                for part in parts:
                    file.write(part)
                    written += part
                    index.poll()
                    assert index.lines == len(naive(written))
        finally:
            logindex.CHUNK = original
        expected = naive(written)
        for number, line in enumerate(all_lines(index)):
            if len(expected[number]) <= BLOCK:
                assert line == expected[number]
            else:
                assert expected[number].startswith(line)


def test_a_line_longer_than_a_block_gives_its_head_or_the_last_state_of_its_bar(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"h" * (3 * BLOCK) + b"\n" + b"\r 10%" * BLOCK + b"\r100%\nend\n")
    index = LogIndex(path)
    index.poll()
    assert index.lines == 4
    assert index.line(1) == b"h" * 4096
    assert index.line(2).endswith(b"\r100%")
    assert index.line(3) == b"end"


def test_memory_is_flat_in_the_number_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789abcde\n" * 500_000)
    index = LogIndex(path)
    while index.poll():
        pass
    assert index.lines == 500_000
    assert index.line(0) == index.line(499_999) == b"0123456789abcde"
    assert len(index._blocks.starts) < 300


def test_growing_in_small_pieces_does_not_fill_the_index(tmp_path: Path) -> None:
    path = tmp_path / "log"
    index = LogIndex(path)
    with path.open("ab", buffering=0) as file:
        for _ in range(2000):
            file.write(b"one line\n")
            index.poll()
    assert index.lines == 2000
    assert len(index._blocks.starts) < 4


def test_a_file_that_is_late_shrinks_or_is_replaced_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    index = LogIndex(path)
    assert index.poll() == 0
    path.write_bytes(b"one\ntwo\nthree\n")
    index.poll()
    assert index.lines == 3
    path.write_bytes(b"new\n")
    index.poll()
    assert all_lines(index) == [b"new"]
    fresh = tmp_path / "fresh"
    fresh.write_bytes(b"other file\nwith two\n")
    fresh.rename(path)
    index.poll()
    assert all_lines(index) == [b"other file", b"with two"]
    assert index.generation == 2


def test_there_is_no_line_outside(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "none")
    assert index.line(0) == index.line(-1) == b""


@given(pieces, st.integers(0, 5000))
def test_lines_and_offsets_lead_to_each_other(parts: list[bytes], somewhere: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        data = b"".join(parts)
        path.write_bytes(data)
        index = LogIndex(path)
        while index.poll():
            pass
        offset = 0
        for number, line in enumerate(naive(data)):
            assert index.offset_of(number) == offset
            assert index.line_at(offset) == number
            offset += len(line) + 1
        place = min(somewhere, len(data))
        assert index.line_at(place) == data[:place].count(b"\n")


def test_a_long_line_can_be_read_whole_for_copying(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"h" * 200_000 + b"\nend\n")
    index = LogIndex(path)
    index.poll()
    assert index.whole_line(1, 1 << 20) == b"h" * 200_000
    assert index.whole_line(1, 1000) == b"h" * 1000
    assert index.whole_line(2, 1000) == b"end"
    assert index.whole_line(9, 1000) == b""


def test_another_file_of_the_same_inode_and_a_larger_size_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    index = LogIndex(path)
    index.poll()
    path.write_bytes(b"other\ntext\n")
    index.poll()
    assert all_lines(index) == [b"other", b"text"]


def test_the_end_of_a_long_file_is_there_before_all_of_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [b"line %d" % number for number in range(2_000_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    reading = LogReading(path)
    reading.poll(1 << 20)
    shown = reading.shown
    assert reading.share is not None
    assert shown.line(shown.lines - 1) == lines[-1]
    assert 0 < shown.lines < len(lines)
    with path.open("ab") as file:
        file.write(b"new\n")
    while reading.poll(8 << 20) or reading.share is not None:
        pass
    assert reading.shown is reading.whole
    assert reading.whole.line_at(shown.start) == len(lines) - shown.lines + 1
    assert reading.whole.line(len(lines)) == b"new"


def test_a_short_file_and_one_without_line_ends_are_read_from_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (4 * TAIL + 1))
    assert LogReading(path).share is None
    assert LogReading(tmp_path / "none").share is None
