"""An utterance is normalised by other recordings of its speaker: never by itself, in training by random ones."""

from dataclasses import replace

import numpy as np
import pytest

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.enrolment import ALL, Enrolment, RandomSubsets, Voices, neutral_emotion
from nni_emodarts.data.features import Moments, Pooled, SpeakerNormalizer
from nni_emodarts.data.features.moments import EVERY_ROW
from nni_emodarts.data.fold_task import FoldTask


@pytest.fixture(scope="module")
def adapted(fast_config: ExperimentConfig) -> ExperimentConfig:
    features = fast_config.features.model_copy(update={"normalization": "speaker"})
    return fast_config.model_copy(update={"features": features})


class Altered:
    """A store in which one row's features are others, which counts what is read."""

    def __init__(self, corpus: Corpus, row: int) -> None:
        self._store, self._row = corpus.store.pick(np.arange(len(corpus.store))), row
        self.read: set[int] = set()
        self.lengths, self.digests = corpus.store.lengths, corpus.store.digests
        self.shelf = corpus.store.shelf

    def __getitem__(self, row: int) -> np.ndarray:
        self.read.add(int(row))
        return self._store[row] * 3 + 1 if row == self._row else self._store[row]

    def moments(self, rows: np.ndarray, part: slice = EVERY_ROW) -> Moments:
        return Moments.join(Moments.of(self[int(row)]).part(part) for row in rows)

    def pooled(self, rows: np.ndarray, part: slice = EVERY_ROW) -> Pooled:
        return self.moments(rows, part).pooled


def maps_of(task: FoldTask, rows: np.ndarray, enrolment: Enrolment = ALL) -> dict[int, np.ndarray]:
    loader = task.evaluation_batches(rows, 4, enrolment)
    return {
        int(row): maps[..., :length].numpy()
        for batch in loader
        for row, maps, length in zip(batch.rows, batch.maps, batch.lengths, strict=True)
    }


def test_a_test_utterance_is_no_part_of_its_own_speakers_statistics(
    adapted: ExperimentConfig, small_corpus: Corpus
) -> None:
    task = FoldTask.of(adapted, small_corpus, 0, 1)
    row, *others = (int(each) for each in task.fold.test)
    store = Altered(small_corpus, row)
    altered = FoldTask.of(adapted, replace(small_corpus, store=store), 0, 1)
    whole, changed = maps_of(task, task.fold.test), maps_of(altered, altered.fold.test)
    normalizer = task._normalizers(lambda voices: lambda each: ALL.choose(voices, each, 1)).for_row(row)
    other = altered._normalizers(lambda voices: lambda each: ALL.choose(voices, each, 1)).for_row(row)
    np.testing.assert_array_equal(normalizer.mean, other.mean)  # bit for bit: it is not summed up and taken off again
    np.testing.assert_array_equal(normalizer.std, other.std)
    assert all((whole[each] != changed[each]).any() for each in others)  # but it is part of the others'
    assert isinstance(task.normalizer, SpeakerNormalizer)
    np.testing.assert_array_equal(task.normalizer.within, altered.normalizer.within)  # of training speakers alone


def test_training_reads_no_test_speaker(adapted: ExperimentConfig, small_corpus: Corpus) -> None:
    store = Altered(small_corpus, -1)
    task = FoldTask.of(adapted, replace(small_corpus, store=store), 0, 1)
    for _ in task.training_batches(task.fold.train, 4):
        pass
    for _ in task.evaluation_batches(task.fold.validation, 4):
        pass
    assert not store.read & set(task.fold.test.tolist())


def test_enrolments_are_of_the_same_speaker_and_as_many_as_they_say(
    adapted: ExperimentConfig, small_corpus: Corpus
) -> None:
    task = FoldTask.of(adapted, small_corpus, 0, 1)
    table, voices = small_corpus.manifest.table, task.voices
    assert [each.name for each in task.enrolments] == ["none", "5", "20", "neutral"]
    for row in task.fold.test:
        chosen = {each.name: each.choose(voices, int(row), 1) for each in (ALL, *task.enrolments)}
        assert {name: len(rows) for name, rows in chosen.items() if name != "neutral"} == {
            "all": 7, "none": 0, "5": 5, "20": 7,
        }  # fmt: skip
        assert set(table["emotion"].iloc[chosen["neutral"]]) == {"neutral"}
        assert len(chosen["neutral"]) == 2 - (table["emotion"].iloc[row] == "neutral")
        for rows in chosen.values():
            assert row not in rows
            assert set(table["speaker"].iloc[rows]) <= {table["speaker"].iloc[row]}
    five = Enrolment("5", 5)
    draws = {tuple(five.choose(voices, int(task.fold.test[0]), seed)) for seed in range(20)}
    assert len(draws) > 5
    assert (task.enrolled(task.fold.test, five) == 5).all()
    assert task.under(load_config("tiny")).enrolments == ()


def test_the_same_sound_under_another_name_is_no_other_recording(small_corpus: Corpus) -> None:
    manifest, store = small_corpus.manifest, small_corpus.store
    voices = Voices(manifest, store)
    first = int(voices.others(0)[0])
    voices._digests[first] = voices._digests[0]
    assert first not in voices.others(0)
    voices._start = np.arange(float(len(manifest)))  # two segments of one recording that share no time
    voices._end = voices._start + 1
    assert first in voices.others(0)
    table = manifest.table.assign(speaker="")
    assert not Voices(replace(manifest, table=table), store).others(0).size


def test_training_draws_other_recordings_anew_and_as_before_after_an_interruption(small_corpus: Corpus) -> None:
    voices, now = Voices(small_corpus.manifest, small_corpus.store), [0]
    draw = RandomSubsets(voices, "neutral", 7, lambda: now[0])
    whole: dict[tuple[int, int], list[int]] = {}
    for now[0] in range(30):
        for time in range(2):  # a shorter loader goes round again within an epoch
            whole[now[0], time] = draw(3).tolist()
    again = RandomSubsets(voices, "neutral", 7, lambda: now[0])
    now[0] = 17
    assert [again(3).tolist(), again(3).tolist()] == [whole[17, 0], whole[17, 1]]
    emotions = small_corpus.manifest.table["emotion"]
    sizes = {len(rows) for rows in whole.values() if set(emotions.iloc[rows]) != {"neutral"}}
    assert sizes == {3, 4, 5, 6, 7}
    neutral = sum(set(emotions.iloc[rows]) == {"neutral"} for rows in whole.values())
    assert 4 < neutral < 30  # a quarter of 60
    assert all(3 not in rows and set(rows) <= set(voices.others(3).tolist()) for rows in whole.values())
    other = RandomSubsets(voices, None, 7)
    assert len({tuple(other(3)) for _ in range(30)}) > 10
    assert all(set(emotions.iloc[other(3)]) != {"neutral"} for _ in range(50))


def test_the_neutral_emotion_is_found_or_named() -> None:
    assert neutral_emotion(["anger", "Neutral"]) == "Neutral"
    assert neutral_emotion(["calm", "joy"]) is None
    assert neutral_emotion(["calm", "neutral"], "calm") == "calm"
    assert neutral_emotion(["joy", "neutral"], "calm") is None


def test_the_setting_changes_no_digest_where_it_is_off_and_every_one_where_it_is_on(adapted: ExperimentConfig) -> None:
    plain = load_config("tiny").features.meaning()
    assert not {"normalization", "unfit_speakers", "neutral"} & set(plain)
    assert adapted.features.meaning()["normalization"] == "speaker"
    assert adapted.tracks == {"track": "scratch", "speaker_adapted": True}
    assert load_config("tiny").tracks == {"track": "scratch", "speaker_adapted": False}
