"""`python -m nni_emodarts` is `emodarts`."""

from nni_emodarts.cli.main import main

main()
