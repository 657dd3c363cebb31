"""What a run records of itself: which code, which dependencies."""

from __future__ import annotations

import hashlib
import subprocess
from importlib.metadata import distributions
from pathlib import Path

import features
import industrial_brain.domain
import models
import training


def code_fingerprint() -> str:
    """SHA-256 over everything that decides a fit: the source of domain, features, models, training, and the shipped trees."""
    digest = hashlib.sha256()
    for package in (industrial_brain.domain, features, models, training):
        folder = Path(package.__path__[0])
        for file in sorted([*folder.rglob("*.py"), *folder.rglob("*.ubj")]):
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def git_sha() -> str:
    """The commit of the checkout that this code runs from, with `-dirty` where it was changed; `unknown` outside one."""
    folder = Path(training.__path__[0]).parent
    try:
        sha = _git(folder, "rev-parse", "HEAD")
        return f"{sha}-dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else sha
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def lock_hash() -> str:
    """SHA-256 of `uv.lock` in a checkout; elsewhere of the list of installed distributions and their versions."""
    lock = Path(training.__path__[0]).parent / "uv.lock"
    if lock.is_file():
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    installed = sorted(f"{d.metadata['Name']}=={d.version}" for d in distributions())
    return hashlib.sha256("\n".join(installed).encode()).hexdigest()


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
