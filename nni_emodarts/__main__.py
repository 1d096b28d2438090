"""`python -m nni_emodarts` is `emodarts`."""

from nni_emodarts.cli import main

main()
