"""Rasa's own story tests on the trained model: what each dialogue act leads to."""

import subprocess
from pathlib import Path

from bot.operations.processes import RASA_PYTHON, environment, model_path
from bot.settings import ROOT
from tests.e2e.running import Usher


def test_the_model_predicts_every_step_of_the_test_stories(tmp_path: Path, usher: Usher) -> None:
    done = subprocess.run(
        [
            *(str(RASA_PYTHON), "-m", "rasa", "test", "core", "--fail-on-prediction-errors"),
            *("--stories", "tests/test_stories.yml", "--model", str(model_path(usher.settings))),
            *("--out", str(tmp_path), "--no-plot"),
        ],
        cwd=ROOT,
        env=dict(environment(usher.settings)),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    failed = tmp_path / "failed_test_stories.yml"
    assert failed.exists(), "nothing was tested"
    assert "None of the test stories failed" in failed.read_text()
