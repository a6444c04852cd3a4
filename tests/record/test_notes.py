"""Names and notes: private, found again, and harmless whatever stands in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.record import RecordError, RunStore
from lightning_tui.record.notes import LONGEST_NAME, LONGEST_NOTE, Notes, read_notes, set_name, set_note
from tests.record.test_store import create


def test_a_name_and_a_note_are_kept_beside_each_other(tmp_path: Path) -> None:
    directory = create(RunStore(tmp_path))
    assert read_notes(directory) == Notes()
    set_name(directory, " baseline ")
    set_note(directory, "first\nsecond line")
    assert read_notes(directory) == Notes(name="baseline", note="first\nsecond line")
    assert (directory.path / "notes.json").stat().st_mode & 0o777 == 0o600
    assert set_name(directory, "") == Notes(note="first\nsecond line")
    assert set_note(directory, " ") == Notes()
    assert [path.name for path in directory.path.glob(".*")] == []


def test_a_run_is_found_by_its_name_but_an_id_comes_first(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    one, two = create(store, "alpha.py"), create(store, "beta.py")
    set_name(one, "baseline")
    assert store.find("baseline").id == one.id
    set_name(one, two.id)
    assert store.find(two.id).id == two.id
    set_name(one, "same")
    set_name(two, "same")
    with pytest.raises(RecordError, match="more than one run"):
        store.find("same")


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "a\nb", "a\x1b[31mb"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="is not a valid name"):
        set_name(create(RunStore(tmp_path)), name)


def test_a_note_has_an_end(tmp_path: Path) -> None:
    directory = create(RunStore(tmp_path))
    with pytest.raises(RecordError, match="Allowed: up to"):
        set_note(directory, "x" * (LONGEST_NOTE + 1))
    (directory.path / "notes.json").write_text('{"note": "' + "y" * 100_000 + '"}')
    assert len(read_notes(directory).note or "") == LONGEST_NOTE


def test_a_directory_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    directory = create(RunStore(tmp_path))
    (directory.path / "notes.json").mkdir()
    with pytest.raises(RecordError, match=r"notes\.json cannot be written"):
        set_note(directory, "x")
    assert [path.name for path in directory.path.glob(".*")] == []
