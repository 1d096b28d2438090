import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.config import (
    PRESETS,
    PerturbationConfig,
    RetrainConfig,
    SpaceConfig,
    as_setting,
    lay_over,
    load_config,
    load_preset,
    loading,
    read_preset,
    validate,
)
from nni_emodarts.errors import ConfigError


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load_and_round_trip(preset: str, tmp_path: Path) -> None:
    config = load_config(preset)
    file = tmp_path / "config.yml"
    file.write_text(config.to_yaml())
    assert load_config(file=file) == config
    assert set(load_preset(preset)) >= {"cnn_cells", "seqnn_primitives"}
    assert ("input_shape" in load_preset(preset)) == (not config.features.pretrained), "which its model decides"


def test_paper_preset_is_the_papers() -> None:
    space = load_config("paper").space
    assert (space.cnn_cells, space.cnn_nodes, space.cnn_channels, space.stem_multiplier) == (4, 4, 8, 3)
    assert (space.seqnn_cells, space.seqnn_nodes, space.seqnn_width, space.dropout) == (4, 4, 128, 0.3)
    assert len(space.cnn_primitives) == 8
    assert len(space.sequence_operations) == 14
    assert space.reductions == (1, 2)
    assert load_config("paper").features.input_shape == (1, 128)


def test_layers_of_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("preset: tiny\nsearch: {epochs: 7, batch_size: 8}\n")
    config = load_config(file=file, settings=["search.epochs=9"], options={"data.protocol": "kfold:3"})
    assert config.preset == "tiny"
    assert (config.search.epochs, config.search.batch_size) == (9, 8)
    assert config.data.protocol == "kfold:3"
    assert config.space == load_config("tiny").space


def test_labels_are_not_read_as_yaml() -> None:
    assert load_config(options={"data.manifest": "03"}).data.manifest == str(Path.cwd() / "03")


def test_every_fault_in_one_message() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            "tiny", settings=["search.epoch=3", "retrain.drop_path=2", "space.seqnn_scope=gru", "serch.epochs=1"]
        )
    message = str(caught.value)
    assert "4 faults" in message
    for words in ("search.epoch: unknown key; did you mean epochs", "retrain.drop_path: 2", "seqnn_scope: 'gru'",
                  "serch: unknown key; did you mean search"):  # fmt: skip
        assert words in message


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("search.strategy=dart", "did you mean darts"),
        ("search.strategy=[darts, enas]", "search.strategy"),
        ("search.options.alpha=3", "alpha"),
        ("space.reduction_cells=[9]", "9 is out of range"),
        ("features.f_max=9000", "8000"),
        ("features.coefficients=20", "mfcc"),
        ("space.cnn_primitives=[none]", "other than none"),
        ("space.seqnn_primitives=[gru_1]", "gru_1"),
        (
            "data.emotions=[no, happy]",
            "False is not allowed: input should be a valid string (YAML reads no, off and false",
        ),
        ("data.emotions=[1, 2]", "YAML reads it as a number; put it in quotes"),
        ("data.emotions=anger", "write a list"),
        ("data.merge={yes: joy}", "True is not allowed"),
        ("data.protocol=1:30", "YAML reads 1:30 as a number to the base 60; put it in quotes"),
        ("data.protocol=2024-01-02", "as a date"),
        ("data.cache=/a: b", "YAML reads `: ` as a key and its value; put the whole text in quotes"),
        ("search.epochs=010", "YAML reads 010 as 8, an octal number"),
        ("search.epochs=1e2", "YAML reads 1e2 as text; write 100"),
        ("search.epochs=yes", "input should be a number (YAML reads yes, on and true as True; write the number)"),
        ("space.reduction_cells=[on]", "input should be a number"),
        ("search.epochs=", "nothing stands there"),
        ("retrain.focal=.inf", "finite"),
        ("search.options.alpha_learning_rate=.nan", "finite"),
        ("search={epochs: 1, epochs: 2}", "epochs stands twice"),
        ("nonsense", "section.key=value"),
        ("a.b=[", "no YAML"),
        ("device=tpu", "tpu"),
    ],
)
def test_faults_name_value_and_remedy(setting: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("tiny", settings=[setting])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "setting", ["search.options.alpha_learning_rate=1e-3", "search.options.alpha_learning_rate=1.0e-3"]
)
def test_a_number_is_one_however_it_is_written(setting: str) -> None:
    options = load_config("tiny", settings=[setting, "retrain.focal=no"]).search.strategy_options()
    assert options.model_dump()["alpha_learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("space.cnn_cells", 64), ("space.cnn_nodes", 16), ("space.cnn_channels", 8192), ("space.seqnn_cells", 64),
        ("space.seqnn_nodes", 16), ("space.seqnn_width", 8192), ("space.stem_multiplier", 64),
        ("features.mel_bands", 1024), ("features.sampling_rate", 1_000_000), ("data.workers", 1024),
        ("retrain.spec_augment.time_masks", 1000),
    ],
)  # fmt: skip
def test_sizes_have_bounds_that_are_named(key: str, most: int) -> None:
    for number in (most + 1, 10**9, 10**30):
        with pytest.raises(ConfigError, match=rf"{re.escape(key)}: {number} is not allowed: .*{most}|window_ms"):
            load_config("tiny", settings=[f"{key}={number}"])
    assert load_config("tiny", settings=[f"{key}={most}", "features.window_ms=1", "space.reduction_cells=[]"])


def test_channels_that_double_have_a_bound() -> None:
    cells = ", ".join(map(str, range(20)))
    with pytest.raises(
        ConfigError, match=r"8 channels, doubled by each of 20 reductions, become 8388608, more than 8192"
    ):
        load_config("compact", settings=["space.cnn_cells=20", f"space.reduction_cells=[{cells}]"])
    with pytest.raises(ConfigError, match=r"16,000,000,000 samples, more than 32,768"):
        load_config("tiny", settings=["features.window_ms=1.0e+9"])


def test_messages_stay_short_whatever_a_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "own.yml"
    for text in (
        "data: {emotions: [" + "1, " * 9000 + "]}",
        "search: {options: {" + ", ".join(f"k{number}: 1" for number in range(4900)) + "}}",
        "search: {" + ", ".join(f"k{number}: 1" for number in range(4900)) + "}",
        "data: {protocol: " + "a" * 400_000 + "}",
        "search: {strategy: " + "a" * 400_000 + "}",
        '"' + "a" * 400_000 + '": 1',
        "l0: &l0 [x, x]\n"
        + "\n".join(f"l{n}: &l{n} [*l{n - 1}, *l{n - 1}]" for n in range(1, 12))
        + "\ndevice: *l11\n",
    ):
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config("tiny", file)
        assert len(str(caught.value)) < 6000


def test_a_whole_section_or_key_may_be_emptied(tmp_path: Path) -> None:
    assert load_config("compact").search.options
    assert load_config("compact", settings=["search.options={}"]).search.options == {}
    again = load_config("compact", settings=["search.options={}", "search.options.max_skips=1"])
    assert again.search.options == {"max_skips": 1}
    file = tmp_path / "own.yml"
    file.write_text("preset: compact\ndata: {merge: {a: b}}\nsearch: {options: {}}\n")
    assert load_config(file=file).search.options == {}
    assert load_config(file=file, settings=["data.merge={}"]).data.merge == {}
    assert lay_over(load_config(file=file), ["data.merge={}"]).data.merge == {}


@pytest.mark.parametrize("section", ["search:", "search: {}", "search:\n  # epochs: 3", "search:\n  optimizer:"])
def test_a_section_under_which_nothing_stands_says_nothing(tmp_path: Path, section: str) -> None:
    (tmp_path / "own.yml").write_text(f"preset: compact\n{section}\nretrain: {{epochs: 3}}\n")
    assert load_config(file=tmp_path / "own.yml").search == load_config("compact").search


def test_a_key_that_stands_twice_is_never_lost(tmp_path: Path) -> None:
    file = tmp_path / "own.yml"
    file.write_text("preset: tiny\nsearch:\n  strategy: enas\nretrain:\n  epochs: 2\nsearch:\n  epochs: 1\n")
    with pytest.raises(ConfigError, match=r"own\.yml has faults: search stands twice \(lines 2 and 6\)"):
        load_config(file=file)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_saved_configuration_is_the_same_whatever_a_preset_comes_to_say(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = load_config(preset, settings=["data.merge={a: b}"])
    (tmp_path / "config.yml").write_text(saved.to_yaml())
    (tmp_path / "partial.yml").write_text("search: {epochs: 3}\n")

    def later(name: str) -> dict[str, Any]:
        options = {"beta_decay": 0.5, "max_skips": 1}
        return {**read_preset(name), "search": {**read_preset(name)["search"], "options": options}}

    monkeypatch.setattr(loading, "read_preset", later)
    assert load_config(file=tmp_path / "config.yml") == saved
    assert load_config(preset, tmp_path / "config.yml") == saved
    assert load_config(preset, tmp_path / "partial.yml").search.options["beta_decay"] == 0.5
    monkeypatch.undo()
    text = saved.to_yaml().replace("preset: " + preset, "preset: one_that_is_gone")
    (tmp_path / "config.yml").write_text(text)
    assert load_config(file=tmp_path / "config.yml").space == saved.space


def test_a_saved_configuration_without_a_preset_has_none(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(validate({}).to_yaml())
    assert load_config(file=tmp_path / "config.yml") == validate({})


def test_one_of_before_an_option_came_is_complete_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = yaml.safe_load(load_config("compact").to_yaml())
    del data["features"]["deltas"], data["retrain"]["perturbation"]["level"], data["space"]["seqnn_normalization"]
    (tmp_path / "config.yml").write_text(yaml.safe_dump(data))
    now = load_config("compact")
    monkeypatch.setattr(loading, "read_preset", lambda name: pytest.fail("a preset has no say here"))
    assert load_config(file=tmp_path / "config.yml") == now


@pytest.mark.parametrize(
    "word", ["/my #cache", "/a: b", "#", "[x]", "/plain/path", '/with "marks"', "'", "1:30", "&a b"]
)
def test_a_path_is_handed_on_as_a_setting_whatever_it_holds(word: str) -> None:
    cache = load_config("tiny", settings=[as_setting("data.cache", word)]).data.cache
    assert cache == str(Path.cwd() / word)
    assert load_config("tiny", settings=["data.cache=/my #cache"]).data.cache == "/my #cache"


def test_bands_are_not_shifted_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match=r"pitch: 0\.06 shifts .* set it to 0"):
        load_config("compact", settings=["features.kind=mfcc"])
    mfcc = ["features.kind=mfcc", "retrain.perturbation.pitch=0"]
    assert load_config("compact", settings=mfcc)
    with pytest.raises(ConfigError, match=r"level: 0\.5 moves all bins alike.*set it to 0"):
        load_config("compact", settings=[*mfcc, "retrain.perturbation.level=0.5"])


def test_paths_may_begin_at_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    data = load_config("tiny", settings=["data.cache=~/cache", "data.manifest=~/corpus/manifest.csv"]).data
    assert (data.cache, data.manifest) == ("/home/me/cache", "/home/me/corpus/manifest.csv")
    unknown = load_config("tiny", settings=["data.cache=~nobody-of-this-name/x"]).data.cache
    assert unknown == str(Path.cwd() / "~nobody-of-this-name/x")


def test_paths_become_absolute_wherever_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is gone on with from other folders; a link stays one, since recordings are named relative to it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "own.yml").write_text("data: {manifest: link/m.csv, cache: ../c}\n")
    monkeypatch.chdir(tmp_path)
    for data in (
        load_config("tiny", "own.yml").data,
        load_config("tiny", settings=["data.manifest=link/m.csv", "data.cache=../c"]).data,
        lay_over(load_config("tiny"), ["data.manifest=link/m.csv", "data.cache=../c"]).data,
    ):
        assert (data.manifest, data.cache) == (str(tmp_path / "link" / "m.csv"), str(tmp_path / ".." / "c"))
    assert load_config("tiny", settings=["data.manifest=synthetic"]).data.manifest == "synthetic"


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yml"):
        load_config(file=tmp_path / "absent.yml")
    for text in ("- 1\n", "{", "1: 2\n", "\x00"):
        (tmp_path / "bad.yml").write_text(text)
        with pytest.raises(ConfigError, match=r"bad\.yml"):
            load_config(file=tmp_path / "bad.yml")
    with pytest.raises(ConfigError, match="did you mean compact"):
        load_config("compct")


YAML = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = ("preset", "data", "features", "space", "search", "retrain", "device")


@given(st.sampled_from(SECTIONS), YAML, st.text(max_size=6))
def test_any_data_gives_a_configuration_or_one_error(section: str, junk: Any, key: str) -> None:
    for data in ({section: junk}, {section: {key: junk}}):
        try:
            again = yaml.safe_load(validate(data).to_yaml())
        except ConfigError:
            continue
        assert validate(again) == validate(data)


def test_a_spaces_identity_resolves_defaults() -> None:
    assert SpaceConfig().identity() == SpaceConfig(reduction_cells=(2, 1), seqnn_scope="all").identity()
    assert SpaceConfig(seqnn_scope="lstm").identity() != SpaceConfig().identity()
    assert SpaceConfig.model_validate(SpaceConfig(seqnn_scope="lstm").identity()).identity() == (
        SpaceConfig(seqnn_scope="lstm").identity()
    )


def test_the_order_of_operations_makes_no_other_space() -> None:
    one, other = (
        SpaceConfig(cnn_primitives=cnn, seqnn_primitives=seqnn)
        for cnn, seqnn in (
            (("none", "sep_conv_3x3", "max_pool_3x3"), ("skip_connect", "rnn_1", "lstm_1")),
            (("max_pool_3x3", "sep_conv_3x3", "none"), ("lstm_1", "rnn_1", "skip_connect")),
        )
    )
    assert one == other
    assert one.cnn_primitives == ("max_pool_3x3", "sep_conv_3x3", "none")
    assert one.sequence_operations == ("lstm_1", "rnn_1", "skip_connect")
    with pytest.raises(ConfigError, match="at least one operation"):
        load_config("tiny", settings=["space.seqnn_primitives=[]"])


def test_an_option_that_came_later_means_something_only_where_it_is_on() -> None:
    off, on = RetrainConfig(), RetrainConfig(perturbation=PerturbationConfig(level=0.5))
    assert off.model_dump()["perturbation"]["level"] == 0
    assert "level" not in off.meaning()["perturbation"]
    assert on.meaning()["perturbation"] == off.meaning()["perturbation"] | {"level": 0.5}
    assert RetrainConfig.model_validate(off.meaning()) == off


def test_a_strategy_takes_of_a_preset_what_it_knows():
    config = load_config("compact", options={"search.strategy": "random"})
    assert config.search.strategy_options().candidates == 8
    darts = load_config("compact", options={"search.strategy": "darts_second_order"})
    assert darts.search.strategy_options().alpha_learning_rate == 1e-2


@pytest.mark.parametrize(
    ("strategy", "setting", "named"),
    [
        ("darts", "search.options.beta_decai=1", "did you mean beta_decay?"),
        ("random", "search.options.alpha_learning_rate=1", "known: candidates"),
        ("darts", "search.options.cost.metric=watts", "'parameters', 'flops' or 'latency'"),
        ("dart", "search.epochs=1", "did you mean darts?"),
    ],
)
def test_options_of_another_strategy(strategy, setting, named):
    with pytest.raises(ConfigError, match=re.escape(named)):
        load_config("compact", settings=[setting], options={"search.strategy": strategy})


@pytest.mark.parametrize(("warmup", "epochs", "left"), [(0, 3, 0), (2, 3, 2), (2, 10, 2), (2, 2, 1), (5, 1, 0)])
def test_a_warm_up_leaves_an_epoch_for_the_choices(warmup: int, epochs: int, left: int) -> None:
    """A search whose alphas never learnt would end with a random network."""
    settings = [f"search.options.warmup_epochs={warmup}", f"search.epochs={epochs}"]
    options = load_config("tiny", settings=settings).search.strategy_options()
    assert options.model_dump()["warmup_epochs"] == left
