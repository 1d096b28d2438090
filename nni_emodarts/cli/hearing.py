"""The command that lists what can be heard with: front-ends."""

from nni_emodarts.cli import console


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
