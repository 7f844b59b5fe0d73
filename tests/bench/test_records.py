"""Records survive the disk, a kill in the middle of a line, and repetition."""

import pytest
from fake_records import record

from distraction_gym.bench import records
from distraction_gym.errors import CheckpointError


def test_a_record_comes_back_as_it_went(tmp_path):
    written = record(env_kwargs={"image_size": 36}, versions=records.versions(), commit="abc")
    records.append(tmp_path / "a" / records.FILE, written)
    assert records.read(tmp_path) == [written]


def test_the_last_record_of_a_cell_wins(tmp_path):
    path = tmp_path / records.FILE
    records.append(path, record(returns=(9.0,), finished="2026-01-02T00:00:00+00:00"))
    records.append(path, record(returns=(1.0,)))
    records.append(path, record(mode="video_hard"))
    found = records.read(path)
    assert sorted((item.mode, item.returns) for item in found) == [
        ("clean", (9.0,)),
        ("video_hard", (1.0, 2.0, 3.0)),
    ]


def test_a_half_written_line_is_dropped(tmp_path):
    path = tmp_path / records.FILE
    records.append(path, record())
    with path.open("a") as file:
        file.write('{"suite": "mini", "ta')
    assert records.read(path) == [record()]
    records.append(path, record(mode="video_hard"))  # takes its place
    assert records.read(path) == [record(), record(mode="video_hard")]


def test_of_two_folders_with_the_same_cell_the_older_is_named(tmp_path):
    for folder, finished in (("one", "2026-01-01"), ("two", "2026-01-02")):
        records.append(tmp_path / folder / records.FILE, record(finished=finished))
    with pytest.warns(UserWarning, match=r"one.records.jsonl and .*two.records.jsonl both have"):
        assert records.read(tmp_path) == [record(finished="2026-01-02")]


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"returns": [1.0], "colour": 3}'])
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / records.FILE
    path.write_text(line + "\n")
    with pytest.raises(CheckpointError, match="line 1, is not a record"):
        records.read(path)


def test_an_empty_folder_says_what_was_expected(tmp_path):
    with pytest.raises(CheckpointError, match=r"distraction-gym eval"):
        records.read(tmp_path)


def test_versions_name_what_can_change_a_return():
    assert {"python", "gymnasium", "numpy"} <= set(records.versions())


def test_digests_depend_on_order_and_content():
    assert records.digest(["a", "b"]) != records.digest(["b", "a"])
    assert records.digest([]) == ""
