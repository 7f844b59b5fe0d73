"""Tables and plots from records that were never measured."""

import csv

import cv2
import numpy as np
from fake_records import record

from distraction_gym.bench.report import return_table, write_report
from distraction_gym.bench.summary import published, summarize

TABLE = {
    ("sac", "clean"): [20.0, 22.0],
    ("sac", "video_hard"): [5.0, 5.5],
    ("madi", "clean"): [21.0, 21.0],
    ("madi", "video_hard"): [20.0, 19.0],
}


def fake(**changes):
    return [
        record(algo=algo, mode=mode, seed=seed, returns=(mean - 1, mean + 1), **changes)
        for (algo, mode), means in TABLE.items()
        for seed, mean in enumerate(means)
    ]


def test_rows_pair_seeds_and_order_modes():
    rows = summarize(reversed(fake()))
    assert [(row.algo, row.mode) for row in rows] == [
        *[("sac", "clean"), ("sac", "video_hard")],
        *[("madi", "clean"), ("madi", "video_hard")],
    ]
    hard = rows[1]
    assert hard.returns.mean == 5.25 and hard.seeds == 2 and hard.episodes == 2
    assert hard.retention.mean == 0.25
    assert rows[0].retention == (1.0, 1.0, 1.0)


def test_retention_leaves_out_seeds_without_a_clean_return():
    rows = summarize([*fake(), record(mode="video_hard", seed=7, returns=(100.0,))])
    assert rows[1].seeds == 3 and rows[1].retention.mean == 0.25


def test_agents_that_were_trained_otherwise_are_others():
    trained = fake(train_mode="video_hard_train")
    rows = summarize([*fake(), *trained[:2], *trained[4:]])
    assert [row.agent for row in rows[:4:2]] == [("sac", "clean"), ("sac", "video_hard_train")]
    assert rows[2].mode == "clean" and rows[2].seeds == 2
    lines = return_table(rows).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        *("SAC", "SAC (video_hard_train)"),
        *("MaDi", "MaDi (video_hard_train)"),
    ]
    numbers = summarize(fake(suite="dmcgb", task="walker_walk", train_mode="video_hard_train"))
    assert not published(numbers), "what is published was trained clean"


def test_the_table_reads_as_it_should():
    lines = return_table(summarize(fake())).splitlines()
    assert lines[0] == "| algorithm | clean | video_hard |"
    assert lines[2].startswith("| SAC | 21.0 [8.3, 33.7] | 5.2 [")
    assert lines[3].startswith("| MaDi | 21.0 [21.0, 21.0] | 19.5 [")


def test_a_report_has_a_page_a_table_and_a_plot(tmp_path):
    records = fake() + [record(task=task, returns=(3.0, 4.0)) for task in ("track", "catch", "x")]
    page, table, plot = write_report(records, tmp_path, "A title")
    text = page.read_text()
    assert text.startswith("# A title") and "## mini: track" in text and "returns.png" in text
    assert "2 training seed" in text or "1 to 2 training seed" in text
    assert "Published" not in text
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 7 and float(rows[-1]["return_mean"]) > 0
    image = cv2.imread(str(plot))
    assert image is not None and np.ptp(image) > 200


def test_published_numbers_stand_beside_measured_ones(tmp_path):
    page, *_ = write_report(fake(suite="dmcgb") + fake(suite="dmcgb", task="walker_walk"), tmp_path)
    text = page.read_text()
    assert "| MaDi | video_hard | return | 858 ± 37 | not stated | MaDi repository" in text
    assert text.count("Published, for comparison:") == 1  # dmcgb has no task called reach


def test_success_stands_beside_the_return(tmp_path):
    kwargs = {"suite": "adroit", "task": "door", "mode": "video_hard", "algo": "svea"}
    measured = [record(**kwargs, seed=1, successes=(True, False, True, True))]
    page, table, _ = write_report(measured, tmp_path)
    text = page.read_text()
    assert "Share of episodes that succeed:" in text and "| SVEA | 75% [" in text
    assert "| SVEA | video_hard | success in % |" in text
    assert float(next(csv.DictReader(table.open()))["success_mean"]) == 0.75


def test_each_published_number_names_its_source_once():
    rows = summarize(
        record(suite="dmcgb", task="walker_walk", algo=algo, mode=mode)
        for algo in ("sac", "svea", "madi")
        for mode in ("video_easy", "video_hard", "color_hard")
    )
    found = published(rows)
    keys = [(item.algo, item.mode, item.source) for item in found]
    assert len(set(keys)) == len(keys) > 5
    assert all(item.source and item.mean > 0 for item in found)
