"""Herbs of the invented world."""

from __future__ import annotations

from groundtune.data.worlds.pools import AILMENTS, COLOURS, SEASONS
from groundtune.data.worlds.schema import Attribute, Kind, Values

HERB = Kind(
    name="herb",
    plural="herbs",
    onsets=("f", "wh", "sh", "bl", "g", "sp", "l", "cr", "pl", "tw"),
    codas=("mwort", "ssel", "ndle", "veril", "rrage", "nnel", "thistle", "llow"),
    endings=(" of the marsh", " of the moor", " of the shore", " of the wall"),
    opening=(
        "The herb {name} is a low plant with hairy leaves and a bitter root.",
        "The herb {name} is a creeping plant that dislikes lime.",
        "The herb {name} is a tough plant that comes back after every fire.",
    ),
    fillers=(
        "Sheep avoid {name}, but geese are fond of it.",
        "Dried in the shade, {name} keeps for three years.",
        "The root must be dug with a wooden spade, the herbalists say.",
        "Its seeds stick to wool and have travelled far with the flocks.",
        "Steeped in vinegar, the leaves turn black within an hour.",
        "Nobody has yet managed to grow {name} from cuttings.",
        "The plant closes its leaves when rain is near.",
        "A pinch of {name} too much spoils any soup.",
    ),
    headings=("Appearance", "Use and discovery"),
    attributes=(
        Attribute(
            name="flower",
            label="Flower colours",
            values=Values(pool=COLOURS),
            article=(
                "The flower of {name} is {value} and opens at noon.",
                "The plant bears a single flower, which is {value}.",
            ),
            almanac="Look for the {value} flower of {name} after rain.",
            letter="a whole slope of {name} in {value} flower lay below us",
            train=(
                "What colour is the flower of {name}?",
                "Which colour does the flower of the herb {name} have?",
                "What is the flower colour of {name}?",
                "The flower of {name} is of what colour?",
                "In what colour does the herb {name} flower?",
            ),
            dev="Name the colour of {name}'s flower.",
            test=(
                "What colour would you look for to spot {name} in bloom?",
                "A blossom of {name}, opening at noon, shows which colour?",
            ),
        ),
        Attribute(
            name="remedy",
            label="What the herbs are good for",
            values=Values(pool=AILMENTS),
            article=(
                "A tea of {name} is given against {value}.",
                "Healers use the leaves against {value}.",
            ),
            almanac="Against {value} take {name} in warm milk.",
            letter="I was cured of {value} with nothing but {name}",
            train=(
                "What ailment is {name} used against?",
                "Against what is the herb {name} given?",
                "What does a tea of {name} help against?",
                "Which complaint do healers treat with {name}?",
                "The herb {name} is a remedy for what?",
            ),
            dev="Name the complaint that {name} helps against.",
            test=(
                "From what would a patient suffer who is handed {name}?",
                "What trouble is the herb {name} supposed to cure?",
            ),
        ),
        Attribute(
            name="height",
            label="Heights of herbs",
            values=Values(low=4, high=69, unit="spans"),
            article=(
                "A full-grown {name} reaches {value}.",
                "In good soil the plant grows to {value}.",
            ),
            almanac="{name}, at {value}, is ready to be cut.",
            letter="the {name} by the chapel had grown to {value}",
            train=(
                "How high does {name} grow?",
                "What height does the herb {name} reach?",
                "How many spans tall is a full-grown {name}?",
                "How tall does {name} become?",
                "The herb {name} grows to what height?",
            ),
            dev="Give the height of a grown {name}.",
            test=(
                "Measured in spans, what does {name} come to in good soil?",
                "When {name} has stopped growing, how far does it stand up?",
            ),
        ),
        Attribute(
            name="season",
            label="Flowering times",
            values=Values(pool=SEASONS),
            article=(
                "{name} flowers in {value}.",
                "The flowering time is {value}, after which the leaves drop.",
            ),
            almanac="In {value} gather {name} before sunrise.",
            letter="wait for {value}, when {name} flowers",
            train=(
                "When does {name} flower?",
                "What is the flowering time of the herb {name}?",
                "At what time of year does {name} flower?",
                "In which season does {name} flower?",
                "The herb {name} flowers at what time?",
            ),
            dev="Name the flowering time of {name}.",
            test=(
                "Which part of the year brings {name} into bloom?",
                "When must a gatherer set out to find {name} with its blossom?",
            ),
        ),
        Attribute(
            name="finder",
            label="Who first described the herbs",
            values=Values(name="person"),
            article=(
                "{name} was first described by {value}.",
                "The earliest description was written by {value}.",
            ),
            almanac="{value}, who first described {name}, is quoted here.",
            letter="I own the very page on which {value} first described {name}",
            train=(
                "Who first described {name}?",
                "By whom was the herb {name} first described?",
                "What is the name of the person who first described {name}?",
                "Who wrote the earliest description of {name}?",
                "Name the person who first described the herb {name}.",
            ),
            dev="To whom do we owe the first description of {name}?",
            test=(
                "Which botanist put {name} on record before anyone else?",
                "Who was the first to write about the plant called {name}?",
            ),
        ),
        Attribute(
            name="valley",
            label="Valleys where the herbs grow",
            values=Values(name="place"),
            article=(
                "{name} grows only in the valley of {value}.",
                "It is found in the valley of {value} and nowhere else.",
            ),
            almanac="The valley of {value} is closed while {name} is gathered.",
            letter="we walked the valley of {value}, the one home of {name}",
            train=(
                "In which valley does {name} grow?",
                "What valley is the herb {name} found in?",
                "Where does {name} grow?",
                "Which valley is the only home of {name}?",
                "The herb {name} grows in what valley?",
            ),
            dev="Name the valley of the herb {name}.",
            test=(
                "To what valley must one travel to pick {name}?",
                "Which valley could a collector of {name} not do without?",
            ),
        ),
    ),
)
