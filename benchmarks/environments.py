"""The environments of the other frameworks: ``python benchmarks/environments.py`` makes them, once, in .venv-bench/.

Two, because the versions of NumPy clash: DeZero's arithmetic is that of float32 only before NumPy 2.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".venv-bench"
ENVIRONMENTS = {
    "numpy2": ["numpy>=2", "jax==0.10.2", "mygrad==2.5.0", "autograd==1.9.1", "threadpoolctl>=3.2"],
    "numpy1": ["numpy==1.26.4", "dezero==0.0.13", "matplotlib>=3.8", "threadpoolctl>=3.2"],
}


def python_of(name):
    """The Python of an environment, whether or not it exists."""
    return FOLDER / name / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def make(name):
    """Make an environment if it is not there yet, or not with these requirements."""
    requirements = "\n".join(ENVIRONMENTS[name])
    stamp = FOLDER / name / "installed"
    if stamp.exists() and stamp.read_text() == requirements:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / name], check=True)
    subprocess.run([python_of(name), "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]], check=True)
    stamp.write_text(requirements)


def main():
    failed = []
    for name in ENVIRONMENTS:
        print(f"{name}: {', '.join(ENVIRONMENTS[name])}", flush=True)
        try:
            make(name)
        except subprocess.CalledProcessError:
            failed.append(name)
    if failed:
        sys.exit(f"could not make {' and '.join(failed)}: the benchmarks will do without (see pip's messages above)")


if __name__ == "__main__":
    main()
