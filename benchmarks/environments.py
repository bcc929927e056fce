"""The environments of the other frameworks: ``python benchmarks/environments.py`` makes them, once, in .venv-bench/.

Several, because the versions of NumPy clash: DeZero's arithmetic is that of float32 only before NumPy 2, and Chainer
asks for names that NumPy 1.24 has no more.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".venv-bench"
ENVIRONMENTS = {
    "numpy2": ["numpy>=2", "jax==0.10.2", "mygrad==2.5.0", "autograd==1.9.1", "scipy==1.17.1", "threadpoolctl>=3.2"],
    "chainer": ["numpy==1.23.5", "chainer==7.8.1"],  # for its gradient check; NumPy has wheels up to Python 3.11
    "numpy1": ["numpy==1.26.4", "dezero==0.0.13", "matplotlib>=3.8", "threadpoolctl>=3.2"],
}
BUILT_WITH = {"chainer": ["setuptools==69.5.1", "wheel==0.45.1"]}  # its setup.py imports what newer ones lack


def python_of(name):
    """The Python of an environment, whether or not it exists."""
    return FOLDER / name / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def is_made(name):
    """Whether an environment is there, with all that belongs into it."""
    return (FOLDER / name / "installed").exists()


def make(name):
    """Make an environment if it is not there yet, or not with these requirements."""
    requirements = "\n".join(ENVIRONMENTS[name])
    stamp = FOLDER / name / "installed"
    if stamp.exists() and stamp.read_text() == requirements:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / name], check=True)
    install = [python_of(name), "-m", "pip", "install", "--quiet"]
    if name in BUILT_WITH:
        subprocess.run([*install, *BUILT_WITH[name]], check=True)
        install.append("--no-build-isolation")
    subprocess.run([*install, *ENVIRONMENTS[name]], check=True)
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
