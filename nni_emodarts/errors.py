"""The errors that a person can cause and mend.

Every one of them carries a message that names the value, the bound and the remedy. The command line prints the message
and leaves with exit code 2; anything else that is raised is a defect of the program.
"""


class EmodartsError(Exception):
    """Base of every error that a person can mend."""


class ConfigError(EmodartsError):
    """A configuration, preset, option or strategy that does not exist or is out of bounds."""


class ManifestError(EmodartsError):
    """A manifest that is missing, unreadable or incomplete."""


class AudioError(EmodartsError):
    """Recordings that cannot be used."""


class ProtocolError(EmodartsError):
    """A protocol or fold that the manifest cannot give."""


class ArchitectureError(EmodartsError):
    """An architecture that is malformed or belongs to another space."""


class RunFolderError(EmodartsError):
    """An output folder that is taken, or a run folder that is incomplete."""


class OverlapError(EmodartsError):
    """A network would be scored on speakers that chose its architecture."""


class ExperimentError(EmodartsError):
    """An NNI experiment that cannot be started or did not finish."""
