"""Which language a text is in, by its most frequent words.

A guess for choosing a stemmer, so it prefers none to a wrong one. Languages are those
that the search engine can stem, and some neighbours that would be mistaken for one.
"""

from __future__ import annotations

# ruff: noqa: RUF001 (letters of many scripts are meant)
import re
from collections import Counter

_SAMPLE_CHARACTERS = 20_000
_MIN_WORDS = 8
_MIN_SHARE = 0.08
"""Of the words: about half of those in running text are this frequent."""
_MIN_LEAD = 1.15
"""Over the second language."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_FREQUENT = {
    "en": "the of and to in is that it for was on are as with be at by this have from "
    "or not but what which you can were has when there their will if how does they "
    "a an his her he she its who one two some while into",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein "
    "eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind",
    "fr": "de la le et les des en un une du est que dans qui par pour au sur pas plus "
    "ne se ce il sont avec sa son ou aux elle cette être à ont mais nous vous",
    "es": "de la que el en y los del se las por un para con no una su al lo como más "
    "es pero sus le ya este sí porque esta entre cuando muy sin sobre ser también",
    "it": "di e il la che in un per è una non del si con della da le sono dei al come "
    "nel più gli alla anche ma lo ha delle questo essere i dal nella su",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos "
    "como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está",
    "nl": "de van het een en in is dat op te zijn voor met die niet aan er om ook als "
    "dan maar bij door wordt uit naar heeft hij nog wel worden over deze tot",
    "sv": "och i att det som en på är av för med den till inte har de om ett men jag "
    "var sig från vi så kan när han under också eller efter skulle hade vid",
    "da": "og i at det er en til af på for med de den som ikke der var et har jeg om "
    "vi fra blev men kan ved efter så sig skal også når eller hun være nu mig",
    "no": "og i det er som på en til av for at med de den ikke har et var om jeg fra "
    "men seg kan så vi eller ble etter ved også når skal være da bare mot hva",
    "fi": "ja on ei se että oli hän mutta ovat tai kun myös joka mukaan sen jos niin "
    "kuin ole sekä ollut vain voi nyt sitä hänen vuonna jälkeen olla joissa ne",
    "hu": "a az és hogy nem is egy ez volt van de meg csak már mint még el azt ki ha "
    "vagy lesz kell ezt amely után sem majd lehet minden között pedig",
    "ro": "de și în a la cu pe nu că o un din este mai care pentru să se au ce fost "
    "sunt prin ca lui dar sau după fi al ale această cum între când",
    "tr": "ve bir bu da de için ile olarak çok daha olan gibi kadar en ne var o ama "
    "olduğu değil sonra her ise ben sen tarafından ya mi veya nasıl önce",
    "pl": "w i na z do się nie że jest to o jak po za od ale przez przy dla są tego "
    "oraz który także może był tylko jego co już czy być ich lub",
    "cs": "a se v na je že s z o do i to k ve pro za by ale si po jako jsou od které "
    "který být jeho nebo byl až také tak jen podle už ze",
    "ru": "и в не на что с по как это из он к для от а о но его у за то все так же "
    "было был или если при может до только мы вы они является",
    "uk": "і в не на що з та у до як за від є для це про його але або а при був по "
    "він так може також які який вона ще після через мають",
    "bg": "на и в да за се от с е по не са като че до през при или той има към това "
    "един след които който били беше също още може",
    "ar": "في من على إلى أن التي الذي عن هذا هذه مع كان لا ما أو كما بعد قد ذلك بين كل "
    "كانت وقد لم هو هي ولا حيث عند",
    "fa": "و در به از که این را با است برای آن یک خود تا بر هم نیز می شود کرد شد های "
    "دارد بود اما هر او شده پس",
}
_HAVING: dict[str, tuple[str, ...]] = {}
"""The languages that have a word among their most frequent."""
for _lang, _words in _FREQUENT.items():
    for _word in dict.fromkeys(_words.split()):
        _HAVING[_word] = (*_HAVING.get(_word, ()), _lang)
_SCRIPTS = {
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "ta": "\u0b80-\u0bff",
    "th": "\u0e00-\u0e7f",
    "ko": "\uac00-\ud7af",
    "ja": "\u3040-\u30ff",
    "zh": "\u4e00-\u9fff",
}
"""Scripts that one language mostly means; Japanese is looked for before Chinese."""
_OF_SCRIPT = {lang: re.compile(f"[{marks}]") for lang, marks in _SCRIPTS.items()}
_MIN_SCRIPT_SHARE = 0.2


def guess_language(text: str) -> str:
    """ISO 639-1 code of the language of a text; empty where it is not clear."""
    sample = text[:_SAMPLE_CHARACTERS]
    if not sample.isascii():
        letters = sum(map(str.isalpha, sample))
        for lang, pattern in _OF_SCRIPT.items():
            if len(pattern.findall(sample)) > _MIN_SCRIPT_SHARE * max(letters, 1):
                return lang
    words = Counter(_WORD.findall(sample.lower()))
    total = sum(words.values())
    if total < _MIN_WORDS:
        return ""
    counts: Counter[str] = Counter()
    scores: dict[str, float] = dict.fromkeys(_FREQUENT, 0.0)
    for word, times in words.items():
        langs = _HAVING.get(word, ())
        for lang in langs:
            counts[lang] += times
            # A word that neighbours share says little about which of them it is.
            scores[lang] += times / len(langs)
    best, second = sorted(scores, key=lambda lang: -scores[lang])[:2]
    is_frequent = counts[best] >= _MIN_SHARE * total
    is_ahead = scores[best] >= _MIN_LEAD * scores[second]
    return best if is_frequent and is_ahead and scores[best] else ""


def frequent_words(language: str) -> frozenset[str]:
    """The most frequent words of a language; none for one that is not known."""
    return _WORDS.get(language, frozenset())


_WORDS = {lang: frozenset(words.split()) for lang, words in _FREQUENT.items()}
