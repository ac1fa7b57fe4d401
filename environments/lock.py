"""Write the hashed lock files of both environments (`make lock`).

PyTorch is kept out of the main lock: the same version exists as a small CPU build and, on
Linux from the ordinary index, as a CUDA build of several GB with twenty further packages.
`torch-cpu.txt` pins the first, `torch.txt` the second and `torch-cuda.txt` what only it needs;
`build.py` takes the CPU build wherever pip can find it.

Usage: lock.py CPU_WHEELS, a folder or page where the CPU build is found.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = re.compile(r"(?m)^(?P<name>[A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==.*(?:\n    .*)*")
CUDA = re.compile(r"nvidia-|cuda-|triton$")


def compile_lock(source: str, *options: str, folder: Path) -> str:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes"]
    command += ["--no-header", "--no-annotate", *options, source]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def write(path: Path, blocks: list[str]) -> None:
    path.write_text("\n".join(blocks) + "\n")
    print(f"{path.relative_to(HERE)}: {len(blocks)} packages")


def lock_usher(cpu_wheels: str) -> None:
    folder = HERE / "usher"
    lock = compile_lock("requirements.in", "--universal", "--python-version", "3.11", folder=folder)
    blocks: dict[str, str] = {}  # several versions of a package differ in their markers
    for match in PACKAGE.finditer(lock):
        blocks[match["name"]] = "\n".join(
            [blocks[match["name"]], match.group(0)] if match["name"] in blocks else [match.group(0)]
        )
    write(folder / "torch.txt", [blocks.pop("torch")])
    cpu = compile_lock(
        "requirements.in", "--python-version", "3.11", "--find-links", cpu_wheels, folder=folder
    )
    write(
        folder / "torch-cpu.txt",
        [match.group(0) for match in PACKAGE.finditer(cpu) if match["name"] == "torch"],
    )
    write(folder / "torch-cuda.txt", [text for name, text in blocks.items() if CUDA.match(name)])
    write(
        folder / "requirements.txt",
        [text for name, text in blocks.items() if not CUDA.match(name)],
    )
    write(folder / "uv.txt", [blocks["uv"]])
    dev = compile_lock("dev.in", "--universal", "--python-version", "3.11", folder=folder)
    write(
        folder / "dev.txt",
        [m.group(0) for m in PACKAGE.finditer(dev) if m["name"] not in blocks],
    )


def lock_rasa() -> None:
    folder = HERE / "rasa"
    lock = compile_lock("requirements.in", "--python-version", "3.10", folder=folder)
    write(folder / "requirements.txt", [match.group(0) for match in PACKAGE.finditer(lock)])


if __name__ == "__main__":
    lock_usher(cpu_wheels=sys.argv[1])
    lock_rasa()
