"""Child processes: what they print, and what happens when they fail."""

import json

from distraction_gym.bench.jobs import Job, run_jobs


def job(tmp_path, name, *commands, total=10):
    return Job(name, commands, tmp_path / name / "log.txt", total)


def test_a_failing_job_leaves_the_others_alone(tmp_path, capsys):
    good = job(tmp_path, "good", ("--version",), ("list", "--suite", "mini"))
    bad = job(tmp_path, "bad", ("list", "--suite", "mino"), ("--version",))
    assert run_jobs([good, bad], 2) == [bad]
    assert "mini-reach-clean-v0" in good.log.read_text()
    log = bad.log.read_text()
    assert "Did you mean 'mini'?" in log and "distraction-gym 0" not in log
    said = capsys.readouterr().out
    assert "good  done" in said and f"bad  failed, see {bad.log}" in said


def test_progress_lines_move_the_bar_and_stay_out_of_the_log(tmp_path, capsys, monkeypatch):
    from distraction_gym.bench import jobs

    lines = [{"step": step, "total": 10, "return": value} for step, value in ((1, None), (9, 2.5))]
    script = "\n".join(f"print('progress ' + {json.dumps(json.dumps(line))})" for line in lines)
    monkeypatch.setattr(jobs, "_MODULE", ("-c",))
    assert run_jobs([job(tmp_path, "a", (script + "\nprint('other')",))], 1) == []
    assert (tmp_path / "a" / "log.txt").read_text() == "other\n"
    said = capsys.readouterr().out
    assert "90%  return 2.5" in said and "10%" in said


def test_bad_usage_is_a_failure(tmp_path):
    bad = job(tmp_path, "bad", ("--no-such-option",))
    assert run_jobs([bad], 1) == [bad]
    assert "usage:" in bad.log.read_text()
