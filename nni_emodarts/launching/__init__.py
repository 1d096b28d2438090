"""A command's work in jobs: side by side in processes of this machine, or as an array of SLURM; through submitit."""

from nni_emodarts.launching.launch import LAUNCHED, LAUNCHERS, Launch
from nni_emodarts.launching.launcher import Launcher, Seen

__all__ = ["LAUNCHED", "LAUNCHERS", "Launch", "Launcher", "Seen"]
