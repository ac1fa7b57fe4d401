"""`rasa train`: rules and stories; what a message is, the knowledge process says."""

import hashlib
import subprocess
from collections.abc import Callable
from tempfile import TemporaryFile

from bot.errors import UsherError
from bot.operations.processes import RASA_PYTHON, environment, model_path
from bot.operations.progress import console
from bot.settings import ROOT, Settings

MAX_SECONDS = 1200
_SOURCES = (
    "config.yml", "domain.yml", "data/rules", "data/stories", "bot/rasa_extensions",
    "environments/rasa",
)  # fmt: skip


class TrainingFailed(UsherError):
    """`rasa train` did not produce a model."""

    code = "training_failed"


def fingerprint() -> str:
    """Changes when anything changes that the model is made of."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in {".yml", ".py", ".txt"}:
                digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()


def is_trained(settings: Settings) -> bool:
    stamp = model_path(settings).with_suffix(".from")
    return model_path(settings).exists() and stamp.exists() and stamp.read_text() == fingerprint()


def train(settings: Settings, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Train the assistant.

    Args:
        meanwhile: something else to do while Rasa, which keeps one core busy, trains.

    Raises:
        TrainingFailed: with the end of what Rasa said.
    """
    target = model_path(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [
        str(RASA_PYTHON), "-m", "rasa", "train", "--force", "--out", str(target.parent),
        "--fixed-model-name", "candidate", "--domain", "domain.yml", "--config", "config.yml",
        "--data", "data",
    ]  # fmt: skip
    made_from = fingerprint()
    with TemporaryFile("w+") as said:
        rasa = subprocess.Popen(
            command, cwd=ROOT, env=environment(settings), stdout=said, stderr=subprocess.STDOUT
        )
        try:
            meanwhile()
            with console.status("Training the assistant (about half a minute)"):
                rasa.wait(MAX_SECONDS)
        finally:
            rasa.kill()
        said.seek(0)
        end = "\n".join(said.read().splitlines()[-20:])
    candidate = target.with_name("candidate.tar.gz")
    if rasa.returncode != 0 or not candidate.exists():
        raise TrainingFailed(f"rasa train failed; mend what it names and train again:\n{end}")
    # A failed training never leaves Usher without the model it had.
    candidate.replace(target)
    target.with_suffix(".from").write_text(made_from)
