"""Scripts without blanks between words are noticed where words are to be read."""

import pytest

import recurra
from recurra.errors import RecurraWarning
from recurra.features.texts.tokens import letters_between_blanks
from recurra.records import Dataset, Record

WITHOUT = {
    "Japanese": [
        "今日はとても良い天気ですね。",
        "油が漏れているので停止しました",
        "電源が入りません。確認してください",
    ],
    "Chinese": ["今天天气非常好我们去公园吧", "机器漏油了需要马上停止运行", "电源无法打开请检查一下线路"],
    "Thai": ["วันนี้อากาศดีมาก", "น้ำมันรั่วต้องหยุดเครื่อง", "ไม่มีไฟฟ้าในอาคารนี้"],
}
WITH = {
    "English": ["oil is leaking at the gate", "there is no power at all"],
    "German": ["Donaudampfschifffahrtsgesellschaftskapitän", "Rindfleischetikettierungsgesetz"],
    "Korean": ["오늘은 날씨가 아주 좋습니다", "전원이 들어오지 않습니다"],
    "Russian": ["сегодня очень хорошая погода", "нет электричества"],
    "cut Japanese": ["今日 は とても 良い 天気 です ね", "油 が 漏れ て いる"],
    "a few signs": ["oil leaks at 東京 gate", "no power in 大阪 hall today"],
    "numbers": ["123456789 987654321", "42"],
}
SMALL = {"max_epochs": 1, "hidden_size": 4, "random_state": 0, "verbose": 0}


@pytest.mark.parametrize("name", WITHOUT)
def test_every_reader_of_words_says_which_option_to_take(name):
    texts = WITHOUT[name] * 8
    labels = [f"c{index % 3}" for index in range(len(texts))]
    said = r"='word' reads whole sentences as words \(\d+ letters on average\)\. Pass {}='character'\."
    with pytest.warns(RecurraWarning, match="tokens" + said.format("tokens")):
        recurra.TextClassifier(tokens="word", embedding_size=4, **SMALL).fit(texts, labels)
    with pytest.warns(RecurraWarning, match="tokens" + said.format("tokens")):
        recurra.TextGenerator(tokens="word", embedding_size=4, tbptt=5, batch_size=2, **SMALL).fit(texts)
    with pytest.warns(RecurraWarning, match="source_level" + said.format("source_level")):
        recurra.Translator(source_level="word", embedding_size=4, **SMALL).fit(texts, ["ab"] * len(texts))
    data = Dataset([Record(t, label=y) for t, y in zip(texts, labels, strict=True)], kind="text")
    assert any("train with tokens='character'" in remark for remark in recurra.look(data).remarks)
    recurra.TextClassifier(tokens="character", embedding_size=4, **SMALL).fit(
        texts, labels
    )  # warnings are errors


@pytest.mark.parametrize("name", WITH)
def test_other_texts_are_read_in_silence(name):
    assert letters_between_blanks(WITH[name]) is None
