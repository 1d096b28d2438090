"""Commands of what is heard: front-ends, features."""

from nni_emodarts.cli import console
from nni_emodarts.cli.launching import launchable
from nni_emodarts.cli.options import BadAudio, Config, FrontEnd, Manifest, Preset, Protocol, Settings, load
from nni_emodarts.launching import Launch


def front_ends() -> None:
    """List the pretrained encoders that can be heard with: size, levels, licence, whether they are on this machine."""
    from nni_emodarts.data.front_ends.listing import listed_front_ends

    console.show_line("what --front-end and a stream's model name; levels are numbered from 0, frames come every 20 ms")
    for each in listed_front_ends():
        known = each.known
        console.show_line(
            f"{known.name:42} {known.family:14} {known.parameters:7.1f} M  levels {known.depth + 1:2} x "
            f"{known.features:4} features  {known.licence}"
        )
        console.show_line(f"  {each.state}", style="dim")
    console.show_line(
        "and any name at Hugging Face, or folder in its layout, of these kinds: whisper, wav2vec2, hubert, wavlm, "
        "data2vec-audio, wav2vec2-bert"
    )


@launchable
def features(
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    bad_audio: BadAudio = None,
    front_end: FrontEnd = None,
    launch: Launch | None = None,
) -> None:
    """Extract the features of a corpus into the store, as every other command does first; what is there stays.

    The protocol decides nothing here: with it, the options are those of other commands.
    """
    chosen = load(preset, config, settings, manifest, protocol, bad_audio=bad_audio, front_end=front_end)
    from nni_emodarts.data.corpus import cache_root
    from nni_emodarts.data.extraction import run_features

    with console.progress_bars() as progress:
        corpus = run_features(chosen, launch, progress, console.show_note)
    skipped = f"; {len(corpus.skipped)} cannot be used" if len(corpus.skipped) else ""
    console.show_line(f"features of {len(corpus.manifest)} utterances lie in {cache_root(chosen.data)}{skipped}")
