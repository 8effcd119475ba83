"""A small general probe: what a language model knows before it is tuned to anything.

Facts of common knowledge, asked before and after tuning, show what tuning has cost. It
is a thermometer and no examination: the questions are easy, few and in English.
"""

from __future__ import annotations

from groundtune.core.values import QaCase

_ASKED = """
What is the capital of France?|Paris
What is the capital of Italy?|Rome
What is the capital of Japan?|Tokyo
What is the capital of Germany?|Berlin
What is the capital of Spain?|Madrid
What is the capital of Egypt?|Cairo
What is the capital of Russia?|Moscow
What is the capital of England?|London
What is the capital of Greece?|Athens
What is the capital of China?|Beijing
In which country is the city of Munich?|Germany
In which country is the city of Milan?|Italy
In which country is the city of Osaka?|Japan
On which continent is Brazil?|South America;America
On which continent is Kenya?|Africa
On which continent is India?|Asia
Which language is spoken in Brazil?|Portuguese
Which language is spoken in Mexico?|Spanish
Which language is spoken in Austria?|German
Which river flows through London?|Thames
Which river flows through Paris?|Seine
Which ocean lies between Europe and North America?|Atlantic
What is the largest ocean on Earth?|Pacific
What is the highest mountain on Earth?|Everest
Which planet is the largest in the solar system?|Jupiter
Which planet is known as the red planet?|Mars
What does the Earth orbit?|Sun
What orbits the Earth?|Moon
What is the chemical symbol of gold?|Au
What is the chemical symbol of oxygen?|O
What is water made of?|hydrogen;oxygen;H2O
Which gas do plants take in from the air?|carbon dioxide;CO2
Which gas do people need to breathe?|oxygen
At how many degrees Celsius does water boil?|100;one hundred
At how many degrees Celsius does water freeze?|0;zero
How many days are in a week?|7;seven
How many months are in a year?|12;twelve
How many hours are in a day?|24;twenty-four
How many minutes are in an hour?|60;sixty
How many legs does a spider have?|8;eight
How many legs does a dog have?|4;four
How many sides does a triangle have?|3;three
How many letters are in the English alphabet?|26;twenty-six
What is two plus two?|4;four
What is ten minus three?|7;seven
What is five times two?|10;ten
Which month comes after March?|April
Which day comes after Monday?|Tuesday
Which season comes after winter?|spring
What colour is the sky on a clear day?|blue
What colour is grass?|green
What colour is snow?|white
Which animal says meow?|cat
Which animal gives us wool?|sheep
What do bees make?|honey
What is a young dog called?|puppy
What is a young cat called?|kitten
Who wrote Romeo and Juliet?|Shakespeare
Who painted the Mona Lisa?|Leonardo;Vinci
Who was the first president of the United States?|Washington
"""


def general_probe(limit: int | None = None) -> list[QaCase]:
    """The questions, at most so many of them, in a fixed order."""
    cases: list[QaCase] = []
    for number, line in enumerate(_ASKED.strip().splitlines()):
        question, _, answers = line.partition("|")
        cases.append(
            QaCase(
                id=f"probe-{number:02d}",
                question=question,
                answers=tuple(answers.split(";")),
            )
        )
    if limit is None or limit >= len(cases):
        return cases
    # From all over the list, which is sorted by subject.
    step = len(cases) / limit
    return [cases[int(place * step)] for place in range(limit)]
