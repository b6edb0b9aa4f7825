import numpy as np

from recurra.inspection.inspection import inspect
from recurra.inspection.recording_problems import recording_problems
from recurra.records import Dataset, Record
from signal_files import waves


def data(*arrays):
    records = [Record(x, name=f"rec_{i}", sample_rate_hz=100.0) for i, x in enumerate(arrays)]
    return Dataset(records, channel_names=["ecg", "breath"])


def test_sound_recordings_have_no_problem():
    assert recording_problems(data(waves(), waves(seed=1))) == []
    switch = np.repeat(np.array([[0.0, 1.0], [1.0, 0.0]]), 200, axis=0)
    assert recording_problems(data(switch)) == []


def test_a_clipped_channel():
    clipped = waves()
    clipped[:, 1] = np.clip(clipped[:, 1], -0.3, 0.3)
    (said,) = recording_problems(data(waves(), clipped))
    assert said.startswith("rec_1: channel 'breath' is clipped: ")
    assert said.endswith(
        "of its samples stand at its largest or smallest value; lower the gain, or leave such recordings out."
    )


def test_a_channel_that_stands_still_in_one_recording():
    still = waves()
    still[:, 0] = 0.7
    assert recording_problems(data(waves(), still, still.copy())) == [
        "rec_1: channel 'ecg' never changes in 5 seconds (1 more recordings have such a channel); a sensor may have been "
        "off, leave it out."
    ]


def test_a_burst_of_missing_values():
    missing = waves()
    missing[100:220, 0] = np.nan
    missing[300, 1] = np.nan
    assert recording_problems(data(missing)) == [
        "rec_0: channel 'ecg' has no value for 1.2 seconds from step 100 on; fill the gap, cut the recording there, or use "
        "missing='mask'."
    ]
    assert any("has no value for 1.2 s" in problem for problem in inspect(data(missing)).problems)
